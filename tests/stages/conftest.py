"""A part whose images can be computed exactly: an L-shaped prism, ray cast as the union of two boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from posebot.core.camera import Camera, box_from_mask, crop_matrix, project, rays
from posebot.core.frame import Frame
from posebot.core.objects import Mesh, ObjectModel
from posebot.core.transforms import Array, inverse, make, rotation_from_vector
from posebot.objects.bop_models import make_object
from posebot.stages import POSE_STAGE_VERSION
from posebot.stages.detect import Detection
from posebot.stages.geometry.surface import Surface
from posebot.stages.localize import Localization, cut
from posebot.stages.observation.evidence import gather
from posebot.stages.pose import solve
from posebot.stages.solution import PoseSolution
from posebot.stages.surface_builder import build_surface

LONG, SHORT, THICK, DEEP = 0.12, 0.07, 0.03, 0.05
BOXES = [((0, 0, 0), (LONG, THICK, DEEP)), ((0, 0, 0), (THICK, SHORT, DEEP))]
OUTLINE = [(0, 0), (LONG, 0), (LONG, THICK), (THICK, THICK), (THICK, SHORT), (0, SHORT)]
CAPS = [(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5)]
FACE_COLORS = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40], [40, 200, 200], [200, 40, 200]])


def prism() -> Mesh:
    vertices, faces, colors = [], [], []

    def quad(corners: list[tuple[float, float, float]], color: NDArray[np.int64]) -> None:
        start = len(vertices)
        vertices.extend(corners)
        faces.extend([(start, start + 1, start + 2), (start, start + 2, start + 3)])
        colors.extend([color] * 4)

    for (x0, y0), (x1, y1) in zip(OUTLINE, OUTLINE[1:] + OUTLINE[:1]):
        normal = np.array([y1 - y0, x0 - x1, 0])
        quad([(x0, y0, 0), (x1, y1, 0), (x1, y1, DEEP), (x0, y0, DEEP)], _face_color(normal))
    for z, order in ((0.0, -1), (DEEP, 1)):
        start = len(vertices)
        vertices.extend((x, y, z) for x, y in OUTLINE)
        faces.extend(tuple(start + i for i in cap[::order]) for cap in CAPS)
        colors.extend([_face_color(np.array([0, 0, order]))] * 6)
    offset = np.array([LONG, SHORT, DEEP]) / 2
    return Mesh(np.array(vertices) - offset, np.array(faces, np.int32), np.array(colors, np.uint8))


def _face_color(normals: NDArray[np.floating]) -> NDArray[np.int64]:
    axis = np.argmax(np.abs(normals), axis=-1)
    positive = np.take_along_axis(normals, axis[..., None], axis=-1)[..., 0] > 0
    return FACE_COLORS[2 * axis + positive]


@dataclass(frozen=True)
class View:
    """One exact image of the part: amodal depth (H, W), 0 = not there; coordinates (H, W, 3), metres."""

    depth: Array
    coordinates: Array
    colors: NDArray[np.uint8]


def cast(pose: Array, pixels: Array, K: Array) -> View:
    """Ray cast the part at pixels (..., 2)."""
    direction = rays(K, pixels)
    camera = inverse(pose)
    origin, along = camera[:3, 3], direction @ camera[:3, :3].T
    offset = np.array([LONG, SHORT, DEEP]) / 2
    depth, normal = np.full(along.shape[:-1], np.inf), np.zeros(along.shape)
    for low, high in BOXES:
        with np.errstate(divide="ignore"):
            near = (np.array([low, high]).reshape(2, *[1] * (along.ndim - 1), 3) - offset - origin) / along
        enter, leave = near.min(axis=0), near.max(axis=0)
        first, last = enter.max(axis=-1), leave.min(axis=-1)
        hit = (first < last) & (first > 0) & (first < depth)
        side = np.eye(3)[np.argmax(enter, axis=-1)] * -np.sign(along)
        depth, normal = np.where(hit, first, depth), np.where(hit[..., None], side, normal)
    seen = np.isfinite(depth)
    depth = np.where(seen, depth, 0)
    colors = np.where(seen[..., None], _face_color(normal), 90).astype(np.uint8)
    return View(depth, origin + along * depth[..., None], colors)


@dataclass
class Scenes:
    """Makes frames and exact localizations of the part."""

    model: ObjectModel
    surface: Surface
    camera: Camera

    def pose(self, seed: int, distance: float = 0.6) -> Array:
        rng = np.random.default_rng(seed)
        vector = rng.normal(size=3)
        shift = np.append(rng.uniform(-0.08, 0.08, 2), distance + rng.uniform(-0.1, 0.1))
        return make(rotation_from_vector(vector / np.linalg.norm(vector) * rng.uniform(0, np.pi)), shift)

    def frame(self, pose: Array, hidden: float = 0.0, noise: float = 0.0, depth: bool = True, seed: int = 0) -> Frame:
        """An image of the part before a far wall; the left share `hidden` of it behind a board."""
        u, v = np.meshgrid(np.arange(self.camera.width), np.arange(self.camera.height))
        view = cast(pose, np.stack([u, v], axis=-1), self.camera.K)
        rgb, z = view.colors, np.where(view.depth > 0, view.depth, 1.5)
        board = u < self._edge(pose, hidden)
        rgb, z = np.where(board[..., None], np.uint8(30), rgb), np.where(board, 0.3, z)
        z = z + np.random.default_rng(seed).normal(scale=noise, size=z.shape) if noise else z
        return Frame(rgb, self.camera, z.astype(np.float32) if depth else None, frame_id="test/1")

    def localization(self, frame: Frame, pose: Array, hidden: float = 0.0, noise: float = 0.0, outliers: float = 0.0,
                     seed: int = 0, class_index: int = 0) -> Localization:
        """The output of a perfect network, with errors (in diameters) and a share of outlier coordinates added."""
        rng = np.random.default_rng(seed)
        box = self.box(pose)
        matrix = crop_matrix(box, 128, 1.25)
        crop = cut(frame.rgb, matrix, 128)
        blank = Localization(Detection(class_index, 0.9, box), crop, matrix, 4, *[np.zeros((32, 32), np.float32)] * 2,
                             np.zeros((3, 32, 32), np.float32), np.zeros((32, 32), np.float32), np.zeros(3, np.float32))
        back = np.linalg.inv(blank.resampled(32))
        u, v = np.meshgrid(np.arange(32), np.arange(32))
        pixels = np.stack([u, v], axis=-1) @ back[:2, :2].T + back[:2, 2]
        view = cast(pose, pixels, self.camera.K)
        amodal = view.depth > 0
        visible = amodal & (pixels[..., 0] >= self._edge(pose, hidden))
        coordinates = view.coordinates + rng.normal(scale=noise * self.model.diameter, size=view.coordinates.shape)
        wild = rng.random(amodal.shape) < outliers
        coordinates[wild] = self.model.denormalise(rng.random((int(wild.sum()), 3)))
        origin = project(self.camera.K, pose[:3, 3])
        middle, side = (box[:2] + box[2:]) / 2, blank.side
        focal = np.sqrt(self.camera.K[0, 0] * self.camera.K[1, 1])
        center = [*(origin - middle) / side, np.log(pose[2, 3] * side / (focal * self.model.diameter))]
        return Localization(
            blank.detection, crop, matrix, 4, visible.astype(np.float32), amodal.astype(np.float32),
            np.moveaxis(self.model.normalise(coordinates), -1, 0).astype(np.float32),
            np.full((32, 32), max(noise, 0.01), np.float32), np.array(center, np.float32))

    def box(self, pose: Array) -> Array:
        u, v = np.meshgrid(np.arange(self.camera.width), np.arange(self.camera.height))
        box = box_from_mask(cast(pose, np.stack([u, v], axis=-1), self.camera.K).depth > 0)
        assert box is not None
        return box

    def error(self, pose: Array, truth: Array) -> float:
        """Largest distance of a surface point, in diameters."""
        points = np.c_[self.model.mesh.vertices, np.ones(len(self.model.mesh.vertices))]
        return float(np.linalg.norm((points @ (pose - truth).T)[:, :3], axis=1).max() / self.model.diameter)

    def _edge(self, pose: Array, hidden: float) -> float:
        x0, _, x1, _ = self.box(pose)
        return float(x0 + hidden * (x1 - x0)) if hidden else -1.0


@pytest.fixture(scope="session")
def scenes() -> Scenes:
    model = make_object(1, "bracket", prism())
    camera = Camera(np.array([[600, 0, 319.5], [0, 600, 239.5], [0, 0, 1.0]]), 640, 480)
    return Scenes(model, build_surface(model), camera)


@pytest.fixture(scope="session")
def turned() -> Callable[[float], Array]:
    """A rotation by degrees about an odd axis, as a transform."""
    axis = np.array([1, 2, 3]) / np.sqrt(14)
    return lambda degrees: make(rotation_from_vector(np.radians(degrees) * axis))


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory) -> Callable[..., Path]:
    """Writes a real bundle whose networks give constant outputs: `make_bundle(model, localizations, scale)`."""
    from posebot.models.bundle import write_bundle
    from posebot.models.calibration import Calibration
    from posebot.models.manifest import DetectorSpec, LocalizerSpec, Manifest, ObjectRef, PoseStage
    from posebot.objects.bop_models import save_objects

    def write(model: ObjectModel, localizations: Sequence[Localization], scale: float,
              calibration: Calibration | None = None) -> Path:
        folder = tmp_path_factory.mktemp("bundle")
        save_objects(folder / "models", {model.obj_id: model})
        manifest = Manifest("test", "1", (ObjectRef(model.obj_id, model.label),), DetectorSpec((240, 320), 0.3),
                            LocalizerSpec(), "CC0-1.0", calibration or Calibration(),
                            pose_stage=PoseStage(POSE_STAGE_VERSION))
        return write_bundle(folder / "bundle", manifest, constant_detector(localizations, scale),
                            constant_localizer(localizations), folder / "models")

    return write


def constant_detector(localizations: Sequence[Localization], scale: float) -> bytes:
    """ONNX: whatever the image, these boxes (image pixels, resized by `scale`)."""
    boxes = np.stack([(loc.detection.box_xyxy + 0.5) * scale - 0.5 for loc in localizations]).astype(np.float32)
    scores = np.array([loc.detection.score for loc in localizations], np.float32)
    labels = np.array([loc.detection.class_index for loc in localizations], np.int64)
    return _constants({"image": (TensorProto.UINT8, ["n", 240, 320, 3])},
                      {"boxes": boxes[None], "scores": scores[None], "labels": labels[None]})


def constant_localizer(localizations: Sequence[Localization]) -> bytes:
    """ONNX: whatever the crops, these maps, one for each crop in order."""
    names = ("visible", "amodal", "coordinates", "scale", "center")
    inputs = {"crops": (TensorProto.UINT8, ["n", 128, 128, 3]), "classes": (TensorProto.INT64, ["n"])}
    return _constants(inputs, {name: np.stack([getattr(loc, name) for loc in localizations]) for name in names})


def _constants(inputs: dict[str, tuple[int, list[str | int]]], outputs: dict[str, NDArray[Any]]) -> bytes:
    """Constants, plus a zero that is computed from the first input, as runtimes drop inputs that are not used."""
    nodes = [helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT) for name in inputs]
    nodes += [helper.make_node("ReduceMean", [f"{name}_float"], [f"{name}_mean"], keepdims=0) for name in inputs]
    zero = numpy_helper.from_array(np.zeros((), np.float32), "nought")
    nodes += [helper.make_node("Min", [*[f"{name}_mean" for name in inputs], "nought"], ["zero"])]
    for name, value in outputs.items():
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        nodes += [helper.make_node("Constant", [], [f"{name}_value"], value=numpy_helper.from_array(value, name)),
                  helper.make_node("Cast", ["zero"], [f"{name}_zero"], to=kind),
                  helper.make_node("Add", [f"{name}_value", f"{name}_zero"], [name])]
    graph = helper.make_graph(
        nodes, "constants", [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
         for name, value in outputs.items()], [zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def solution(scenes: Scenes) -> PoseSolution:
    """The pose of the part in one of its images, solved with depth."""
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.001)
    localization = scenes.localization(frame, pose, noise=0.05)
    return solve(gather(frame, localization, scenes.model), scenes.surface, localization)
