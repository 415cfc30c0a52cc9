"""torch to ONNX.

Weights are stored as 16-bit floats and widened by a Cast when the session is built, so files are half as large while
all sums stay in 32 bits (runtimes fold the Cast into the constants when they load the file).
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posebot.core.files import write_atomic
from posebot.training.initializers import HALF, SHARED

if TYPE_CHECKING:
    import torch
    from onnx import ModelProto

OPSET = 18
_SMALLEST_HALVED = 1024
"""Initialisers with fewer numbers (biases, constants of the graph) stay in 32 bits: there is nothing to save."""


class ExportView(Protocol):
    """A `torch.nn.Module` with the inputs and outputs of docs/explanation/architecture.md, such as `DetectorExport`."""

    @property
    def input_names(self) -> tuple[str, ...]: ...

    @property
    def output_names(self) -> tuple[str, ...]: ...

    def example(self, batch: int = 1) -> tuple[torch.Tensor, ...]: ...

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]: ...


def export_onnx(view: ExportView, path: Path) -> None:
    """Write `view` as ONNX, first axis of every input and output dynamic, weights in 16 bits. Whole or not at all."""
    import onnx
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    assert isinstance(view, torch.nn.Module)
    module = view.cpu().eval()
    names = (*view.input_names, *view.output_names)
    with warnings.catch_warnings(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        # The TorchScript exporter needs no further package, is four times as fast and gives the smaller graph here.
        warnings.simplefilter("ignore")
        exported = Path(folder) / path.name
        torch.onnx.export(module, view.example(2), exported, input_names=list(view.input_names),
                          output_names=list(view.output_names), opset_version=OPSET, dynamo=False,
                          training=torch.onnx.TrainingMode.PRESERVE,  # BatchNorm stays, with its weights' names
                          dynamic_axes={name: {0: "n"} for name in names})
        model = onnx.load(exported)
    note_shared(model, {name: value.cpu().numpy() for name, value in module.state_dict().items()})
    halve_weights(model)
    onnx.checker.check_model(model)
    write_atomic(path, model.SerializeToString())


def halve_weights(model: ModelProto) -> ModelProto:
    """The model with its large float32 initialisers stored as float16 and a Cast to float32 behind each."""
    from onnx import TensorProto, helper, numpy_helper

    casts, kept = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALLEST_HALVED:
            kept.append(tensor)
            continue
        limit = float(np.finfo(np.float16).max)
        halved = np.clip(values, -limit, limit).astype(np.float16)
        kept.append(numpy_helper.from_array(halved, f"{tensor.name}{HALF}"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}{HALF}"], [tensor.name], f"widen/{tensor.name}",
                                      to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    return model


def note_shared(model: ModelProto, state: Mapping[str, NDArray[Any]]) -> None:
    """Note in the model's metadata which parameters have no initialiser of their own.

    The exporter writes equal arrays once (biases that are still 0, say), under one of their names.
    """
    from onnx import numpy_helper

    first: dict[tuple[tuple[int, ...], bytes], str] = {}
    for tensor in model.graph.initializer:
        if tensor.name in state:
            values = numpy_helper.to_array(tensor)
            first.setdefault((values.shape, values.tobytes()), tensor.name)
    names = {tensor.name for tensor in model.graph.initializer}
    shared = {name: first[key] for name, values in state.items()
              if name not in names and (key := (values.shape, values.tobytes())) in first}
    if shared:
        model.metadata_props.add(key=SHARED, value=json.dumps(shared))


def compare_runtimes(view: ExportView, path: Path, inputs: tuple[torch.Tensor, ...]) -> dict[str, dict[str, float]]:
    """How far the exported file is from torch on `inputs`, in each runtime of this machine.

    Returns:
        {runtime: {output: difference}}, difference = mean |a - b| / mean |torch|; the 16-bit weights cause about 1e-3.
    """
    import torch

    from posebot.models.runtime import Network, available

    assert isinstance(view, torch.nn.Module)
    with torch.no_grad():
        outputs = view.cpu().eval()(*inputs)
    reference = {name: tensor.numpy() for name, tensor in zip(view.output_names, outputs, strict=True)}
    arrays = {name: tensor.numpy() for name, tensor in zip(view.input_names, inputs, strict=True)}
    differences = {}
    for runtime in available():
        found = Network(path, runtime, threads=1)(arrays)
        differences[runtime] = {name: relative_difference(values, found[name]) for name, values in reference.items()}
    return differences


def relative_difference(reference: NDArray[Any], other: NDArray[Any]) -> float:
    """mean |a - b| / mean |a|; infinite where shapes differ."""
    if reference.shape != other.shape:
        return float("inf")
    a, b = reference.astype(float), other.astype(float)
    return float(np.abs(a - b).mean() / max(np.abs(a).mean(), 1e-12))
