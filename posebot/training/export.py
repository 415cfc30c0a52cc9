"""torch to ONNX and safetensors.

Weights are stored as 16-bit floats and widened by a Cast when the session is built, so files are half as large while all
sums stay in 32 bits (runtimes fold the Cast into the constants when they load the file).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import InputError

if TYPE_CHECKING:
    import torch
    from onnx import ModelProto

OPSET = 18
_SMALLEST_HALVED = 1024
"""Initialisers with fewer numbers (biases, constants of the graph) stay in 32 bits: nothing is saved, nothing is lost."""


def export_onnx(view: torch.nn.Module, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str], path: Path) -> None:
    """Write `view` as ONNX, first axis of every input and output dynamic, weights in 16 bits.

    Args:
        view: a module whose `forward` takes the inputs in their order and returns a tuple (or one tensor) of outputs.
        inputs: name -> example. outputs: names. path: the file, written whole or not at all.
    """
    import onnx
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".writing")
    view = view.cpu().eval()
    with warnings.catch_warnings(), torch.no_grad():
        # The TorchScript exporter needs no further package, is four times as fast and gives the smaller graph here.
        warnings.simplefilter("ignore")
        torch.onnx.export(view, tuple(inputs.values()), str(temporary), input_names=list(inputs),
                          output_names=list(outputs), opset_version=OPSET, dynamo=False,
                          dynamic_axes={name: {0: "n"} for name in (*inputs, *outputs)})
    model = halve_weights(onnx.load(temporary))
    onnx.checker.check_model(model)
    onnx.save(model, temporary)
    os.replace(temporary, path)


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
        kept.append(numpy_helper.from_array(halved, f"{tensor.name}.fp16"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}.fp16"], [tensor.name], f"widen/{tensor.name}",
                                      to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    return model


def compare_runtimes(view: torch.nn.Module, path: Path, inputs: Mapping[str, torch.Tensor],
                     outputs: Sequence[str]) -> dict[str, dict[str, float]]:
    """How far ONNX Runtime and OpenVINO are from torch on `inputs`: {runtime: {output: difference}}.

    The difference is the mean of |a - b| over the mean of |torch's output|; about 1e-3 comes from the 16-bit weights.
    A runtime that is not installed is left out.
    """
    import torch

    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    with torch.no_grad():
        found = view.cpu().eval()(*inputs.values())
    reference = [tensor.numpy() for tensor in (found if isinstance(found, tuple) else (found,))]
    return {name: {output: relative_difference(a, b) for output, a, b in zip(outputs, reference, values, strict=True)}
            for name, run in (("onnxruntime", _run_onnxruntime), ("openvino", _run_openvino))
            if (values := run(path, arrays, outputs)) is not None}


def relative_difference(reference: NDArray[Any], other: NDArray[Any]) -> float:
    """mean |a - b| / mean |a|; infinite where shapes differ."""
    if reference.shape != other.shape:
        return float("inf")
    a, b = reference.astype(float), other.astype(float)
    return float(np.abs(a - b).mean() / max(np.abs(a).mean(), 1e-12))


def _run_onnxruntime(path: Path, inputs: dict[str, NDArray[Any]], outputs: Sequence[str]) -> list[NDArray[Any]] | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return list(session.run(list(outputs), inputs))


def _run_openvino(path: Path, inputs: dict[str, NDArray[Any]], outputs: Sequence[str]) -> list[NDArray[Any]] | None:
    try:
        import openvino
    except ImportError:
        return None
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(inputs)
    return [np.asarray(found[name]) for name in outputs]


def save_weights(state: Mapping[str, torch.Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a state dict as safetensors, floats in 16 bits; for `posebot train --from`."""
    import torch
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    halved = {name: (tensor.half() if tensor.dtype == torch.float32 else tensor).detach().cpu().contiguous()
              for name, tensor in state.items()}
    temporary = path.with_suffix(".writing")
    save_file(halved, temporary, dict(metadata or {}))
    os.replace(temporary, path)


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dict that `save_weights` wrote, floats in 32 bits again.

    Raises:
        InputError: no such file, or no safetensors.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(path, str(error), "a .safetensors file written by posebot train") from None
    return {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in state.items()}
