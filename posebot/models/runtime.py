"""Networks in ONNX, run by whatever this machine has: OpenVINO or ONNX Runtime.

`Network` is the only face the rest of posebot sees: arrays by name in, arrays by name out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import BundleError, InputError, PosebotError, UnavailableError

RUNTIMES = ("cuda", "openvino", "openvino-bf16", "onnxruntime")
"""`openvino-bf16` is only taken where it is asked for: nearly twice as fast on processors that multiply 16-bit numbers,
but results then differ from machine to machine (coordinates by 1.4 % of the object's box)."""
ENVIRONMENT = "POSEBOT_RUNTIME"
_SIZES = (8, 4, 3, 2, 1)  # of the batches that OpenVINO gets
Arrays = dict[str, NDArray[Any]]


class Backend(Protocol):
    """What `Network` needs of a runtime."""

    outputs: list[str]

    def run(self, inputs: Arrays) -> list[NDArray[Any]]: ...

    def bare(self, inputs: Arrays) -> None: ...


class Network:
    """One ONNX network, ready to run. May be called from several threads, one call runs at a time.

    Args:
        source: an ONNX file, or its bytes. runtime: "auto" or one of `RUNTIMES`; "auto" reads the environment variable
            `POSEBOT_RUNTIME`, and without it takes CUDA where ONNX Runtime has it, else OpenVINO, else ONNX Runtime.
        threads: CPU threads, 0 = the runtime's own choice. name: what to call the network in messages.
    Raises:
        InputError: the runtime is unknown or not installed, or the file is no network that it can read.
    """

    def __init__(self, source: str | Path | bytes, runtime: str = "auto", threads: int = 0, name: str = "") -> None:
        self.runtime = choose(runtime)
        where = name or (str(source) if not isinstance(source, bytes) else "network")
        data = source if isinstance(source, bytes) else _read(Path(source))
        try:
            self._backend = _BACKENDS[self.runtime](data, threads)
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


def available() -> list[str]:
    """The runtimes that this machine has, the preferred one first."""
    names = []
    if find_spec("onnxruntime") is not None:
        import onnxruntime

        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            names.append("cuda")
    if find_spec("openvino") is not None:
        names.append("openvino")
    if find_spec("onnxruntime") is not None:
        names.append("onnxruntime")
    return names


def choose(runtime: str = "auto") -> str:
    """The runtime that a request stands for. Raises InputError where it is unknown or not here."""
    wanted = os.environ.get(ENVIRONMENT, "auto") if runtime == "auto" else runtime
    if wanted not in (*RUNTIMES, "auto"):
        raise InputError("runtime", f"{wanted!r} is not known", f"auto, {', '.join(RUNTIMES)}")
    present = available()
    if not present:
        raise UnavailableError("runtime", "neither openvino nor onnxruntime is installed", "pip install openvino")
    if wanted == "auto":
        return present[0]
    if wanted == "openvino-bf16" and "openvino" in present:
        if not has_bfloat16():
            raise UnavailableError("runtime", f"{wanted!r}: this processor does not multiply 16-bit numbers",
                                   "openvino; a processor with AVX512-BF16 or AMX")
        return wanted
    if wanted not in present:
        raise UnavailableError("runtime", f"{wanted!r} is not available here", f"this machine has {', '.join(present)}")
    return wanted


def has_bfloat16() -> bool:
    """Whether OpenVINO is here and finds a processor that multiplies bfloat16 numbers."""
    if find_spec("openvino") is None:
        return False
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def bare_runner(data: bytes, runtime: str, threads: int = 0) -> Callable[[Arrays], Any]:
    """The runtime's own shortest way to run a network, for comparison: no lock, no names, nothing copied."""
    return _BACKENDS[runtime](data, threads).bare


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})", "an ONNX network") from error


class _OpenVino:
    """OpenVINO keeps working memory for every batch size that it ever saw (180 MB for 1 to 16 crops).

    Batches are run in pieces of `_SIZES`, so that a process does not grow for hours until it has met them all.
    """

    def __init__(self, data: bytes, threads: int, halved: bool = False) -> None:
        import openvino

        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY",
                                   "INFERENCE_PRECISION_HINT": "bf16" if halved else "f32"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        core = openvino.Core()
        model = core.read_model(data)
        self.outputs = [output.get_any_name() for output in model.outputs]  # compiling adds names of inner tensors
        self._request = core.compile_model(model, "CPU", options).create_infer_request()

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        counts = {len(array) for array in inputs.values()}
        pieces = _pieces(counts.pop()) if len(counts) == 1 else []
        if len(pieces) < 2:  # also what does not fit together: OpenVINO says so
            return self._piece(inputs)
        results = [self._piece({name: array[piece] for name, array in inputs.items()}) for piece in pieces]
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

    def _piece(self, inputs: Arrays) -> list[NDArray[Any]]:
        self._request.infer(inputs, share_inputs=True)
        return [np.array(self._request.get_output_tensor(i).data) for i in range(len(self.outputs))]

    def bare(self, inputs: Arrays) -> None:
        self._request.infer(inputs, share_inputs=True, share_outputs=True)


def _pieces(count: int) -> list[slice]:
    """So many in as few pieces of `_SIZES` as there are."""
    found, start = [], 0
    while start < count:
        size = next(size for size in _SIZES if size <= count - start)
        found.append(slice(start, start + size))
        start += size
    return found


class _OnnxRuntime:
    def __init__(self, data: bytes, threads: int, providers: tuple[str, ...] = ("CPUExecutionProvider",)) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads:
            options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(data, options, providers=list(providers))
        if providers[0] not in self._session.get_providers():
            raise RuntimeError(f"{providers[0]} does not start on this machine")
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        return [np.asarray(output) for output in self._session.run(self.outputs, inputs)]

    def bare(self, inputs: Arrays) -> None:
        self._session.run(None, inputs)


def _cuda(data: bytes, threads: int) -> Backend:
    return _OnnxRuntime(data, threads, ("CUDAExecutionProvider", "CPUExecutionProvider"))


def _bfloat16(data: bytes, threads: int) -> Backend:
    return _OpenVino(data, threads, halved=True)


_BACKENDS: dict[str, Callable[[bytes, int], Backend]] = {
    "openvino": _OpenVino, "openvino-bf16": _bfloat16, "onnxruntime": _OnnxRuntime, "cuda": _cuda,
}
