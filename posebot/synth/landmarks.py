"""Finding the landmarks of textured objects: each is drawn from all sides in even light, and described."""

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
from posebot.synth.gl import Gl
from posebot.synth.labels import Labeller
from posebot.synth.library import Library
from posebot.synth.raster import RasterRenderer
from posebot.synth.scene import Backdrop, Item, Material, Optics, Scene, look_at

MOST = 1500  # of one object
_FEWEST = 200  # that are worth looking for
_VIEWS, _SIDE, _AWAY = 42, 320, 1.7  # pictures, their side in pixels, and from how many diameters
_IN_ONE = 400  # most in one picture
_SAME, _NEAR = 0.85, 0.01  # similarity and distance, in diameters, under which two are one
_RIM = 5  # pixels along the silhouette that show what lies behind it


def find_landmarks(models: Sequence[ObjectModel]) -> dict[int, Landmarks]:
    """Landmarks by object number, of those objects that have a texture with enough of them. About 3 s an object.

    Raises:
        InputError: there is no OpenGL.
    """
    textured = [model for model in models if model.mesh.texture is not None]
    if not textured:
        return {}
    gl = Gl(Library({model.obj_id: model for model in textured}))
    try:
        renderer, labeller = RasterRenderer(gl, 4), Labeller(gl)
        found = {model.obj_id: _of(model, renderer, labeller) for model in textured}
    finally:
        gl.release()
    return {obj_id: landmarks for obj_id, landmarks in found.items() if len(landmarks.points) >= _FEWEST}


def _of(model: ObjectModel, renderer: RasterRenderer, labeller: Labeller) -> Landmarks:
    """The strongest landmarks of one object, each once."""
    parts = [_seen(model, direction, renderer, labeller) for direction in sphere(_VIEWS)]
    points, directions, strengths, descriptors = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(-strengths, kind="stable")
    points, directions, descriptors = points[order], directions[order], descriptors[order]
    kept = _once(points, descriptors, _NEAR * model.diameter)[:MOST]
    return Landmarks(points[kept].astype(np.float32), directions[kept].astype(np.float32), descriptors[kept])


def _seen(model: ObjectModel, direction: Array, renderer: RasterRenderer, labeller: Labeller
          ) -> tuple[Array, Array, NDArray[np.float32], NDArray[np.uint8]]:
    """What is seen from one side: points, directions, strengths, descriptors."""
    focal, middle = 1.5 * _SIDE, (_SIDE - 1) / 2
    camera = Camera(np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1]]), _SIDE, _SIDE)
    world_from_cam = look_at(model.center + _AWAY * model.diameter * direction, model.center, 0.0)
    item = Item(f"obj/{model.obj_id}", np.eye(4), Material((1.0, 1.0, 1.0), f"obj/{model.obj_id}", None, 0.9, 0.0),
                model.obj_id)
    black = Backdrop("pattern/5", (0.0, 0.0, 0.01, 0.01), 0.0, "pattern/8", (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    scene = Scene(camera, world_from_cam, (item,), (), black, Optics(blur_px=0.0, noise=0.0, vignette=0.0),
                  model.center, model.diameter)
    depth = labeller.depth(scene)
    inside = cv2.erode((depth > 0).astype(np.uint8), np.ones((_RIM, _RIM), np.uint8)).astype(np.uint8)
    pixels, strengths, descriptors = detect_and_compute(renderer.picture(scene), _IN_ONE, inside)
    at = np.clip(np.rint(pixels).astype(int), 0, _SIDE - 1)
    z = depth[at[:, 1], at[:, 0]].astype(float)
    points = apply(world_from_cam, rays(camera.K, pixels.astype(float)) * z[:, None])
    return points, np.repeat(direction[None], len(points), axis=0), strengths, descriptors


def _once(points: Array, descriptors: NDArray[np.uint8], near: float) -> NDArray[np.int64]:
    """Numbers of those that no earlier one is like: near it on the surface, and described alike."""
    if not len(points):
        return np.zeros(0, np.int64)
    vectors, kept = normalise_descriptors(descriptors), np.zeros(len(points), bool)
    for number, others in enumerate(cKDTree(points).query_ball_point(points, near)):
        earlier = [other for other in others if other < number and kept[other]]
        kept[number] = not earlier or float((vectors[earlier] @ vectors[number]).max()) < _SAME
    return np.flatnonzero(kept)
