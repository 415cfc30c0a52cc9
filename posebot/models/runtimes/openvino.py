"""OpenVINO on the CPU, in 32-bit floats or in bfloat16."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.models.runtimes import Arrays, Backend

_SIZES = (8, 4, 3, 2, 1)  # of the batches that OpenVINO gets


class OpenVino:
    """32-bit floats: results are the same on every processor."""

    automatic = True

    def problem(self) -> str:
        return "" if find_spec("openvino") is not None else "openvino is not installed; pip install openvino"

    def load(self, data: bytes, threads: int) -> Backend:
        return _OpenVinoBackend(data, threads, "f32")


class OpenVinoBfloat16:
    """bfloat16: nearly twice as fast on processors that multiply 16-bit numbers.

    Results then differ from machine to machine (coordinates by 1.4 % of the object's box), so it is only taken where it
    is asked for.
    """

    automatic = False

    def problem(self) -> str:
        if find_spec("openvino") is None:
            return OpenVino().problem()
        return "" if has_bfloat16() else ("this processor does not multiply 16-bit numbers; a processor with "
                                          "AVX512-BF16 or AMX")

    def load(self, data: bytes, threads: int) -> Backend:
        return _OpenVinoBackend(data, threads, "bf16")


def has_bfloat16() -> bool:
    """Whether OpenVINO is installed and finds a processor that multiplies bfloat16 numbers."""
    if find_spec("openvino") is None:
        return False
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class _OpenVinoBackend:
    """OpenVINO keeps working memory for every batch size that it ever saw (180 MB for 1 to 16 crops).

    Batches are run in pieces of `_SIZES`, so that a process does not grow for hours until it has met them all.
    """

    def __init__(self, data: bytes, threads: int, precision: str) -> None:
        import openvino

        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        core = openvino.Core()
        model = core.read_model(data)
        self.outputs = [output.get_any_name() for output in model.outputs]  # compiling adds names of inner tensors
        self._request = core.compile_model(model, "CPU", options).create_infer_request()

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        counts = {len(array) for array in inputs.values()}
        pieces = _pieces(counts.pop()) if len(counts) == 1 else []
        if len(pieces) < 2:  # also inputs that do not fit together: OpenVINO says so
            return self._piece(inputs)
        results = [self._piece({name: array[piece] for name, array in inputs.items()}) for piece in pieces]
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

    def _piece(self, inputs: Arrays) -> list[NDArray[Any]]:
        self._request.infer(inputs, share_inputs=True)
        return [np.array(self._request.get_output_tensor(i).data) for i in range(len(self.outputs))]

    def bare(self, inputs: Arrays) -> None:
        self._request.infer(inputs, share_inputs=True, share_outputs=True)


def _pieces(count: int) -> list[slice]:
    """Slices of `count` entries, as few as `_SIZES` allow."""
    pieces, start = [], 0
    while start < count:
        size = next(size for size in _SIZES if size <= count - start)
        pieces.append(slice(start, start + size))
        start += size
    return pieces
