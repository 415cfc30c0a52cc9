"""A bundle whose networks are constants, so that everything around them can be tried in milliseconds.

The detector sees one box in the middle of every image (320x240); the localizer says that it is a brick seen from the
front, so the pose that comes out is known: `CAM_FROM_BRICK`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from posebot.core.camera import Camera
from posebot.core.objects import Mesh
from posebot.core.transforms import Array, make
from posebot.models.bundle import write_bundle
from posebot.models.manifest import DetectorSpec, LocalizerSpec, Manifest, ObjectRef
from posebot.objects.bop_models import make_object, save_objects

WIDTH, HEIGHT = 320, 240
CAMERA = Camera(np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]), WIDTH, HEIGHT)
SIZE = np.array([0.10, 0.08, 0.06])  # of the brick, metres
DISTANCE = 0.40  # of its front face
CAM_FROM_BRICK = make(translation=[0, 0, DISTANCE + SIZE[2] / 2])
_HALF = 300.0 * SIZE[:2] / DISTANCE / 2
BOX = np.array([159.5 - _HALF[0], 119.5 - _HALF[1], 159.5 + _HALF[0], 119.5 + _HALF[1]])
_CROP, _PAD, _MAP = 128, 1.25, 32


def write_plumbing_bundle(folder: Path) -> Path:
    """A bundle folder named `plumbing` in `folder`."""
    models = folder / "models"
    save_objects(models, {1: make_object(1, "brick", brick())})
    manifest = Manifest("plumbing", "1", (ObjectRef(1, "brick"),), DetectorSpec((HEIGHT, WIDTH), 0.3),
                        LocalizerSpec(_CROP, _PAD, _CROP // _MAP), "AGPL-3.0-or-later")
    return write_bundle(folder / "plumbing", manifest, _detector(), _localizer(), models)


def brick() -> Mesh:
    """A box about its centre, metres, outward faces, grey."""
    corners = (np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) - 0.5) * SIZE
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return Mesh(corners, np.array(faces, np.int32), np.full((8, 3), 128, np.uint8))


def _detector() -> bytes:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", HEIGHT, WIDTH, 3])
    outputs = {"boxes": BOX.astype(np.float32).reshape(1, 4), "scores": np.array([0.9], np.float32),
               "labels": np.array([0], np.int64)}
    return _constant_network([image], outputs)


def _localizer() -> bytes:
    crops = helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", _CROP, _CROP, 3])
    classes = helper.make_tensor_value_info("classes", TensorProto.INT64, ["N"])
    coordinates, inside = _front_face()
    side = _PAD * (BOX[2] - BOX[0])
    diameter = float(np.linalg.norm(SIZE))
    centre = np.array([0, 0, np.log(CAM_FROM_BRICK[2, 3] * side / 300.0 / diameter)], np.float32)
    outputs = {"visible": inside, "amodal": inside, "coordinates": coordinates,
               "scale": np.full((_MAP, _MAP), 0.02, np.float32), "center": centre}
    return _constant_network([classes, crops], outputs)


def _front_face() -> tuple[Array, Array]:
    """Coordinates (3, M, M) of the face z = 0, and where it is (M, M)."""
    stride, side = _CROP / _MAP, _PAD * (BOX[2] - BOX[0])
    crop_pixels = np.arange(_MAP) * stride + (stride - 1) / 2
    offsets = (crop_pixels - (_CROP - 1) / 2) * side / _CROP / 300.0 * DISTANCE  # metres from the middle
    x, y = np.meshgrid(offsets / SIZE[0] + 0.5, offsets / SIZE[1] + 0.5)
    inside = (np.abs(x - 0.5) <= 0.5) & (np.abs(y - 0.5) <= 0.5)
    return np.stack([x, y, np.zeros_like(x)]).astype(np.float32), inside.astype(np.float32)


def _constant_network(inputs: list[onnx.ValueInfoProto], outputs: dict[str, Array]) -> bytes:
    """A network that gives the same arrays for each of the N things that come in."""
    nodes = [helper.make_node("Shape", [info.name], [f"{info.name}_count"], start=0, end=1) for info in inputs]
    nodes.append(helper.make_node("Max", [f"{info.name}_count" for info in inputs], ["count"]))
    constants, infos = [], []
    for name, value in outputs.items():
        constants += [numpy_helper.from_array(value[None], f"{name}_value"),
                      numpy_helper.from_array(np.array(value.shape, np.int64), f"{name}_shape")]
        nodes += [helper.make_node("Concat", ["count", f"{name}_shape"], [f"{name}_full"], axis=0),
                  helper.make_node("Expand", [f"{name}_value", f"{name}_full"], [name])]
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        infos.append(helper.make_tensor_value_info(name, kind, ["N", *value.shape]))
    graph = helper.make_graph(nodes, "constant", inputs, infos, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()
