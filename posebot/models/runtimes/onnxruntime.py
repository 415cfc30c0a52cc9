"""ONNX Runtime, on the CPU or through CUDA."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.models.runtimes import Arrays, Backend

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class OnnxRuntime:
    """ONNX Runtime on the CPU."""

    automatic = True

    def problem(self) -> str:
        return "" if find_spec("onnxruntime") is not None else "onnxruntime is not installed; pip install onnxruntime"

    def load(self, data: bytes, threads: int) -> Backend:
        return _OnnxRuntimeBackend(data, threads, (_CPU,))


class Cuda:
    """ONNX Runtime on an NVIDIA GPU."""

    automatic = True

    def problem(self) -> str:
        if find_spec("onnxruntime") is None:
            return OnnxRuntime().problem()
        import onnxruntime

        return "" if _CUDA in onnxruntime.get_available_providers() else \
            "this ONNX Runtime has no CUDA; the packages of requirements-cuda.txt and an NVIDIA GPU"

    def load(self, data: bytes, threads: int) -> Backend:
        return _OnnxRuntimeBackend(data, threads, (_CUDA, _CPU))


class _OnnxRuntimeBackend:
    def __init__(self, data: bytes, threads: int, providers: tuple[str, ...]) -> None:
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
