"""Networks in ONNX, run by what this machine has (`models.runtimes`): arrays by name in, arrays by name out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import BundleError, InputError, PosebotError, UnavailableError
from posebot.models.runtimes import RUNTIMES, Arrays, runtime_of

ENVIRONMENT = "POSEBOT_RUNTIME"


class Network:
    """One ONNX network, ready to run. May be called from several threads, one call runs at a time.

    Args:
        source: an ONNX file, or its bytes. runtime: "auto" or a name in `runtimes.RUNTIMES`; "auto" reads the
            environment variable `POSEBOT_RUNTIME`, and without it takes CUDA where ONNX Runtime has it, else OpenVINO,
            else ONNX Runtime.
        threads: CPU threads, 0 = the runtime's own choice. name: what to call the network in messages.
    Raises:
        InputError: the runtime is unknown or not installed, or the file is not a network that it can read.
    """

    def __init__(self, source: str | Path | bytes, runtime: str = "auto", threads: int = 0, name: str = "") -> None:
        self.runtime = choose(runtime)
        where = name or (str(source) if not isinstance(source, bytes) else "network")
        data = source if isinstance(source, bytes) else _read(Path(source))
        try:
            self._backend = runtime_of(self.runtime).load(data, threads)
        except Exception as error:  # each runtime raises types of its own
            raise BundleError(where, f"{self.runtime} cannot load it: {error}", "an ONNX network") from error
        self._lock = threading.Lock()

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        return self._backend.outputs

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """Run once. Raises PosebotError where the runtime fails (a shape that does not fit, no memory)."""
        arrays = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        with self._lock:
            try:
                results = self._backend.run(arrays)
            except Exception as error:
                raise PosebotError(f"{self.runtime} failed to run the network: {error}") from error
        return dict(zip(self._backend.outputs, results, strict=True))


def available(automatic: bool = True) -> list[str]:
    """The runtimes that this machine has, the preferred one first. automatic: only those that "auto" may take."""
    runtimes = {name: runtime_of(name) for name in RUNTIMES}
    return [name for name, one in runtimes.items() if (one.automatic or not automatic) and not one.problem()]


def choose(runtime: str = "auto") -> str:
    """The runtime that a request stands for. Raises InputError where it is unknown or not available here."""
    wanted = os.environ.get(ENVIRONMENT, "auto") if runtime == "auto" else runtime
    if wanted not in (*RUNTIMES, "auto"):
        raise InputError("runtime", f"{wanted!r} is not known", f"auto, {', '.join(RUNTIMES)}")
    if wanted != "auto":
        problem, _, expected = runtime_of(wanted).problem().partition("; ")
        if problem:
            raise UnavailableError("runtime", f"{wanted!r} is not available here: {problem}", expected)
        return wanted
    present = available()
    if not present:
        raise UnavailableError("runtime", "neither openvino nor onnxruntime is installed", "pip install openvino")
    return present[0]


def bare_runner(data: bytes, runtime: str, threads: int = 0) -> Callable[[Arrays], Any]:
    """The runtime's own shortest way to run a network, for comparison: no lock, no names, nothing copied."""
    return runtime_of(runtime).load(data, threads).bare


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})", "an ONNX network") from error
