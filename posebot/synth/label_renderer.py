"""Ground-truth labels of a scene, rendered with OpenGL: exact depth, visible and amodal masks, poses, boxes.

    labels = LabelRenderer(gl).render(scene)
    labels.depth            float32 (H, W) metres along z, 0 = background
    labels.ground_truths    list of `GroundTruth`, one per item of scene.targets, in the same order
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import project
from posebot.core.transforms import Array, apply
from posebot.datasets.bop_writer import GroundTruth
from posebot.synth import shaders
from posebot.synth.opengl import NEAR, OpenGLContext, gl_matrix, projection
from posebot.synth.scene import Item, Scene

_CANVAS = 3  # silhouette pixels are counted on a canvas of three image sizes, as in bop_toolkit
_NO_BOX = np.array([-1.5, -1.5, -0.5, -0.5])  # outside the image, where there is no silhouette


@dataclass(frozen=True)
class Labels:
    """Labels of a scene.

    Attributes:
        depth: float32 (H, W) metres, 0 = background. ground_truths: one per target of the scene.
    """

    depth: NDArray[np.float32]
    ground_truths: list[GroundTruth]


class LabelRenderer:
    """Renders depth and item index at each pixel centre."""

    def __init__(self, gl: OpenGLContext) -> None:
        self.gl = gl
        self._program = gl.program(shaders.LABEL_VERTEX, shaders.LABEL_FRAGMENT)
        self._framebuffers: dict[tuple[int, int], Any] = {}

    def render(self, scene: Scene) -> Labels:
        """Depth, and ground truth of every target, visible or not."""
        camera = scene.camera
        pixels = self._render_items(scene, list(scene.items), camera.K, camera.width, camera.height)
        depth, item_index = pixels[..., 0], np.rint(pixels[..., 1]).astype(np.int32)
        targets = [index for index, item in enumerate(scene.items, start=1) if item.obj_id > 0]
        ground_truths = [self._ground_truth(scene, scene.items[index - 1], item_index == index) for index in targets]
        return Labels(np.ascontiguousarray(depth), ground_truths)

    def render_depth(self, scene: Scene) -> NDArray[np.float32]:
        """Exact depth (H, W), metres along z, 0 = background; faster than `render`."""
        camera = scene.camera
        pixels = self._render_items(scene, list(scene.items), camera.K, camera.width, camera.height)
        return np.ascontiguousarray(pixels[..., 0])

    def _ground_truth(self, scene: Scene, item: Item, visible: NDArray[np.bool_]) -> GroundTruth:
        camera, cam_from_obj = scene.camera, scene.cam_from_world @ item.world_from_item
        mask = visible.copy()
        window = self._window(scene, item, cam_from_obj)
        if window is None:
            return GroundTruth(item.obj_id, cam_from_obj, visible, mask, _NO_BOX, int(mask.sum()))
        x0, y0, x1, y1 = window
        K = camera.K - np.array([[0, 0, x0], [0, 0, y0], [0, 0, 0.0]])
        silhouette = self._render_items(scene, [item], K, x1 - x0, y1 - y0)[..., 0] > 0
        rows, columns = np.nonzero(silhouette)
        inside = (rows + y0 >= 0) & (rows + y0 < camera.height) & (columns + x0 >= 0) & (columns + x0 < camera.width)
        mask[rows[inside] + y0, columns[inside] + x0] = True
        if not rows.size:
            return GroundTruth(item.obj_id, cam_from_obj, visible, mask, _NO_BOX, int(mask.sum()))
        columns, rows = columns + x0, rows + y0
        box = np.array([columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5])
        return GroundTruth(item.obj_id, cam_from_obj, visible, mask, box, max(len(rows), int(visible.sum())))

    def _window(self, scene: Scene, item: Item, cam_from_obj: Array) -> tuple[int, int, int, int] | None:
        """Pixel bounds x0, y0, x1, y1 (exclusive) of the silhouette, clipped to the canvas; None if behind."""
        points = apply(cam_from_obj, self.gl.library.mesh(item.shape).vertices * item.scale)
        points = points[points[:, 2] > NEAR]
        if not len(points):
            return None
        pixels, size = project(scene.camera.K, points), np.array([scene.camera.width, scene.camera.height])
        margin = size * (_CANVAS - 1) // 2
        low = np.clip(np.floor(pixels.min(axis=0)) - 1, -margin, size + margin - 1).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0)) + 2, low + 1, size + margin).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _render_items(self, scene: Scene, items: list[Item], K: Array, width: int, height: int) -> NDArray[np.float32]:
        """float32 (height, width, 2): depth and 1-based index in `items`, for intrinsics K and this image size."""
        self.gl.activate()
        frame = self._framebuffer(width, height)
        frame.use()
        frame.viewport = frame.scissor = (0, 0, width, height)
        frame.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        self.gl.context.enable_only(self.gl.context.DEPTH_TEST)
        self._program["clip_from_cam"].write(gl_matrix(projection(K, width, height)))
        cam_from_world = scene.cam_from_world
        for item_index, item in enumerate(items, start=1):
            self._program["cam_from_mesh"].write(gl_matrix(cam_from_world @ item.world_from_mesh))
            self._program["item_index"].value = float(item_index)
            self.gl.mesh(item.shape, self._program).render()
        data = frame.read(viewport=(0, 0, width, height), components=2, dtype="f4")
        return np.frombuffer(data, np.float32).reshape(height, width, 2)

    def _framebuffer(self, width: int, height: int) -> Any:
        """A frame buffer of at least this size, rounded up to 256 pixels so that few are allocated."""
        size = (-(-width // 256) * 256, -(-height // 256) * 256)
        if size not in self._framebuffers:
            context = self.gl.context
            self._framebuffers[size] = context.framebuffer([context.renderbuffer(size, 2, dtype="f4")],
                                                      context.depth_renderbuffer(size))
        return self._framebuffers[size]
