"""Extraction of texture landmarks: renders textured objects from all sides in even light and detects keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from posebot.core.camera import Camera, rays
from posebot.core.objects import Landmarks, ObjectModel
from posebot.core.transforms import Array, apply, sphere
from posebot.objects.texture_landmarks import detect_and_compute, normalise_descriptors
from posebot.synth.assets import AssetLibrary
from posebot.synth.label_renderer import LabelRenderer
from posebot.synth.opengl import OpenGLContext
from posebot.synth.raster_renderer import RasterRenderer
from posebot.synth.scene import Background, CameraEffects, Item, Material, Scene, look_at

MAX_LANDMARKS = 1500  # per object
_MIN_LANDMARKS = 200  # fewer are discarded
_VIEWS, _IMAGE_SIZE, _DISTANCE = 42, 320, 1.7  # views; pixels; diameters
_MAX_PER_VIEW = 400
_MAX_SIMILARITY, _MIN_DISTANCE = 0.85, 0.01  # of distinct landmarks: cosine; diameters
_ERODE_PX = 5  # pixels near the silhouette are affected by the background


def extract_landmarks(models: Sequence[ObjectModel]) -> dict[int, Landmarks]:
    """Texture landmarks by object ID, of objects with enough of them; about 3 s per object.

    Raises:
        UnavailableError: OpenGL is not available.
    """
    textured = [model for model in models if model.mesh.texture is not None]
    if not textured:
        return {}
    gl = OpenGLContext(AssetLibrary({model.obj_id: model for model in textured}))
    try:
        renderer, label_renderer = RasterRenderer(gl, 4), LabelRenderer(gl)
        landmarks_by_id = {model.obj_id: _extract(model, renderer, label_renderer) for model in textured}
    finally:
        gl.release()
    return {obj_id: landmarks for obj_id, landmarks in landmarks_by_id.items()
            if len(landmarks.points) >= _MIN_LANDMARKS}


def _extract(model: ObjectModel, renderer: RasterRenderer, label_renderer: LabelRenderer) -> Landmarks:
    """The strongest landmarks of one object, without duplicates."""
    parts = [_extract_from_view(model, direction, renderer, label_renderer) for direction in sphere(_VIEWS)]
    points, directions, responses, descriptors = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(-responses, kind="stable")
    points, directions, descriptors = points[order], directions[order], descriptors[order]
    kept = _deduplicate(points, descriptors, _MIN_DISTANCE * model.diameter)[:MAX_LANDMARKS]
    return Landmarks(points[kept].astype(np.float32), directions[kept].astype(np.float32), descriptors[kept])


def _extract_from_view(model: ObjectModel, direction: Array, renderer: RasterRenderer, label_renderer: LabelRenderer
          ) -> tuple[Array, Array, NDArray[np.float32], NDArray[np.uint8]]:
    """Landmarks of one view: points, directions, responses, descriptors."""
    focal, center = 1.5 * _IMAGE_SIZE, (_IMAGE_SIZE - 1) / 2
    camera = Camera(np.array([[focal, 0, center], [0, focal, center], [0, 0, 1]]), _IMAGE_SIZE, _IMAGE_SIZE)
    world_from_cam = look_at(model.center + _DISTANCE * model.diameter * direction, model.center, 0.0)
    item = Item(f"obj/{model.obj_id}", np.eye(4), Material((1.0, 1.0, 1.0), f"obj/{model.obj_id}", None, 0.9, 0.0),
                model.obj_id)
    black = Background("pattern/5", (0.0, 0.0, 0.01, 0.01), 0.0, "pattern/8", (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    scene = Scene(camera, world_from_cam, (item,), (), black, CameraEffects(blur_px=0.0, noise=0.0, vignette=0.0),
                  model.center, model.diameter)
    depth = label_renderer.render_depth(scene)
    inside = cv2.erode((depth > 0).astype(np.uint8), np.ones((_ERODE_PX, _ERODE_PX), np.uint8)).astype(np.uint8)
    pixels, responses, descriptors = detect_and_compute(renderer.render(scene), _MAX_PER_VIEW, inside)
    at = np.clip(np.rint(pixels).astype(int), 0, _IMAGE_SIZE - 1)
    z = depth[at[:, 1], at[:, 0]].astype(float)
    points = apply(world_from_cam, rays(camera.K, pixels.astype(float)) * z[:, None])
    return points, np.repeat(direction[None], len(points), axis=0), responses, descriptors


def _deduplicate(points: Array, descriptors: NDArray[np.uint8], near: float) -> NDArray[np.int64]:
    """Indices of landmarks without a stronger one nearby that has a similar descriptor."""
    if not len(points):
        return np.zeros(0, np.int64)
    vectors, kept = normalise_descriptors(descriptors), np.zeros(len(points), bool)
    for number, neighbours in enumerate(cKDTree(points).query_ball_point(points, near)):
        earlier = [other for other in neighbours if other < number and kept[other]]
        kept[number] = not earlier or float((vectors[earlier] @ vectors[number]).max()) < _MAX_SIMILARITY
    return np.flatnonzero(kept)
