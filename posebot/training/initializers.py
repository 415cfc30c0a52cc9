"""The weights in an exported network: ONNX initialisers as a state dict, so that a bundle holds its weights once."""

from __future__ import annotations

import json

import torch
from torch import Tensor

from posebot.core.errors import BundleError

MODULE = "net."
"""Prefix of the trained network in every `ExportView`; other initialisers are constants of the export."""
HALF = ".fp16"
"""Suffix of the initialisers that `export.halve_weights` stores in 16 bits."""

SHARED = "posebot.shared_initializers"
"""Key of the metadata with parameters that share another one's initialiser, see `export.note_shared`."""


def state_from_onnx(data: bytes, where: object) -> dict[str, Tensor]:
    """Parameters and buffers by their name in the network, floats in 32 bits.

    Buffers that inference does not use (BatchNorm's counters) are not in the file.

    Args:
        data: the ONNX file. where: how an error names it.
    Raises:
        BundleError: not an ONNX file, or it holds no parameters under their names.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    try:
        model = onnx.load_from_string(data)
    except DecodeError as error:
        raise BundleError(where, f"is not an ONNX file ({error})", "a network written by posebot train") from None
    state = {}
    for tensor in model.graph.initializer:
        if tensor.name.startswith(MODULE):
            value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            name = tensor.name.removeprefix(MODULE).removesuffix(HALF)
            state[name] = value.float() if value.is_floating_point() else value
    for entry in model.metadata_props:
        for name, other in (json.loads(entry.value) if entry.key == SHARED else {}).items():
            state[name.removeprefix(MODULE)] = state[other.removeprefix(MODULE)].clone()
    if not state:
        raise BundleError(where, "holds no weights under their names", "a network written by posebot train")
    return state
