"""Runtimes of ONNX networks: an extension point. A further one is one file with a `Runtime`, and one entry below."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


class Backend(Protocol):
    """A loaded network. One call at a time; `models.runtime.Network` holds the lock."""

    outputs: list[str]
    """Names of the outputs, in the order of `run`."""

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """Run once. The results belong to the caller: a later call does not change them."""
        ...

    def bare(self, inputs: Arrays) -> None:
        """The runtime's own shortest way to run the network, for comparison; nothing is copied."""
        ...


class Runtime(Protocol):
    """A library that runs ONNX networks, on one kind of device and precision."""

    automatic: bool
    """Whether "auto" may take it; else it is only taken where it is asked for."""

    def problem(self) -> str:
        """Why it cannot run on this machine ("what is wrong; what would be right"); "" where it can. Never raises."""
        ...

    def load(self, data: bytes, threads: int) -> Backend:
        """Load an ONNX file. threads: CPU threads, 0 = the runtime's own choice. Raises errors of its own types."""
        ...


RUNTIMES = {
    "cuda": "posebot.models.runtimes.onnxruntime:Cuda",
    "openvino": "posebot.models.runtimes.openvino:OpenVino",
    "openvino-bf16": "posebot.models.runtimes.openvino:OpenVinoBfloat16",
    "onnxruntime": "posebot.models.runtimes.onnxruntime:OnnxRuntime",
}
"""Name to the runtime's class, the preferred one first; imported when it is asked about."""


def runtime_of(name: str) -> Runtime:
    """The runtime of a name in `RUNTIMES`."""
    module, _, attribute = RUNTIMES[name].partition(":")
    made: Runtime = getattr(import_module(module), attribute)()
    return made
