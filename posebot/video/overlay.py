"""Overlay of a result on its image.

Each object has its box, the outline of its mesh at the estimated pose, its axes (x red, y green, z blue) and a label
with the certainty; the colour shows the status. An optional footer shows the frame, its age and the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import project, resize_K
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import FrameResult, PoseEstimate
from posebot.core.transforms import Array, apply
from posebot.video.mesh_outline import MeshOutline
from posebot.video.text_labels import Color, alpha_blend, render_label, text_width

COLORS: dict[str, Color] = {"ok": (61, 220, 132), "low_certainty": (255, 179, 0), "no_pose": (255, 82, 110)}
NAMES = {"ok": "ok", "low_certainty": "low certainty", "no_pose": "no pose"}
_AXIS_COLORS: tuple[Color, ...] = ((255, 64, 64), (64, 224, 64), (72, 128, 255))
_DARK: Color = (12, 14, 18)
_SUBPIXEL = 4
FOOTER = 24  # pixels at scale 1


def draw_overlay(rgb: NDArray[np.uint8], result: FrameResult, objects: Iterable[ObjectModel], *,
                 scale: int = 1) -> NDArray[np.uint8]:
    """A copy of the image with the estimates of a result drawn in, uint8 (H * scale, W * scale, 3), RGB.

    Args:
        rgb: the image, uint8 (H, W, 3), undistorted, with the intrinsics of `result.camera`. objects: models, for
            outlines and axes; estimates of other objects have only a box and a label.
    """
    return Overlay(objects, scale).draw_image(rgb, result)


class Overlay:
    """Draws results; keeps the prepared meshes, so that an instance is faster than `draw_overlay` for many frames.

    Args:
        objects: models, for outlines and axes. scale: integer factor by which the image is enlarged first.
    """

    def __init__(self, objects: Iterable[ObjectModel], scale: int = 1) -> None:
        self.objects = {model.obj_id: model for model in objects}
        self.outlines: dict[int, MeshOutline] = {}
        self.scale = scale

    def draw(self, frame: Frame, result: FrameResult) -> NDArray[np.uint8]:
        """The overlay with a footer, uint8 (H', W', 3), RGB; H' and W' are even (video codecs need that)."""
        scale, (height, width) = self.scale, frame.rgb.shape[:2]
        footer = FOOTER * max(1, round(height * scale / 480))
        canvas = np.zeros((_even(height * scale + footer), _even(width * scale), 3), np.uint8)
        canvas[:height * scale, :width * scale] = self._draw(frame.rgb, frame.camera.K, result.estimates)
        canvas[height * scale:] = _DARK
        _draw_footer(canvas[height * scale:], result)
        return canvas

    def draw_image(self, rgb: NDArray[np.uint8], result: FrameResult) -> NDArray[np.uint8]:
        """The overlay without a footer, see `draw_overlay`."""
        return self._draw(rgb, result.camera.K, result.estimates)

    def _draw(self, rgb: NDArray[np.uint8], K: Array, estimates: Sequence[PoseEstimate]) -> NDArray[np.uint8]:
        import cv2

        scale = self.scale
        image = np.array(rgb) if scale == 1 else np.asarray(
            cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
        K = resize_K(K, scale, scale)
        for estimate in sorted(estimates, key=_drawing_order):
            self._draw_estimate(image, K, estimate)
        self._draw_labels(image, estimates)
        return image

    def _draw_estimate(self, image: NDArray[np.uint8], K: Array, estimate: PoseEstimate) -> None:
        color, thick = COLORS[estimate.status], _thickness(image)
        _lines(image, [_box_corners(_scaled_box(estimate.box_xyxy, self.scale))], color, 1, closed=True)
        model = self.objects.get(estimate.obj_id)
        if model is None or estimate.cam_from_obj is None:
            return
        if estimate.obj_id not in self.outlines:
            self.outlines[estimate.obj_id] = MeshOutline(model.mesh)
        height, width = image.shape[:2]
        lines = self.outlines[estimate.obj_id].lines(K, estimate.cam_from_obj, width, height)
        certain = estimate.status == "ok"  # uncertain poses are drawn thin and without detail
        if certain:
            _lines(image, lines.contours, _DARK, thick + 2, closed=True)
            _lines(image, lines.sharp_edges, color, 1)
        _lines(image, lines.contours, color, thick, closed=True)
        _draw_axes(image, K, estimate.cam_from_obj, (0.4 if certain else 0.2) * model.diameter)

    def _draw_labels(self, image: NDArray[np.uint8], estimates: Sequence[PoseEstimate]) -> None:
        size = max(11, round(image.shape[0] / 40))
        boxes = [_scaled_box(estimate.box_xyxy, self.scale) for estimate in estimates]
        placed: list[Array] = []
        for index in sorted(range(len(estimates)), key=lambda i: float(boxes[i][1])):
            label = render_label(label_of(estimates[index]), size, COLORS[estimates[index].status])
            at = _place(label.shape[1], label.shape[0], boxes[index], boxes, placed, image.shape[1], image.shape[0])
            placed.append(at)
            alpha_blend(image, label, int(at[0]), int(at[1]))


def label_of(estimate: PoseEstimate) -> str:
    """Label of an object: name and track, certainty, and the radii of its 90 % region."""
    name = estimate.label if estimate.track_id is None else f"{estimate.label} #{estimate.track_id}"
    if estimate.status == "no_pose":
        return f"{name}  no pose"
    stated = "uncalibrated" if isnan(estimate.p_correct) else f"{estimate.p_correct * 100:.0f} %"
    region = estimate.region90
    within = "" if region is None else f"  ±{region.translation_mm:.1f} mm ±{region.rotation_deg:.0f}°"
    return f"{name}  {stated}{within}"


def _draw_footer(strip: NDArray[np.uint8], result: FrameResult) -> None:
    height, width = strip.shape[:2]
    size = max(11, round(height * 0.5))
    counts = Counter[str](estimate.status for estimate in result.estimates)
    x = width
    for status in reversed(COLORS):
        text = f"{counts[status]} {NAMES[status]}"
        label = render_label(text, size, COLORS[status], opacity=1.0)
        x -= label.shape[1]
        alpha_blend(strip, label, x, (height - label.shape[0]) // 2)
    facts = [result.frame_id, f"age {result.age_ms:.0f} ms", f"pipeline {result.stage_ms.get('total', 0.0):.0f} ms"]
    if result.dropped:
        facts.append(f"dropped {result.dropped}")
    while len(facts) > 1 and text_width("   ".join(facts), size) > x - 2 * size:
        facts.pop()
    label = render_label("   ".join(facts), size, _DARK, opacity=1.0)
    alpha_blend(strip, label[:, :max(x, 1)], 0, (height - label.shape[0]) // 2)


def _draw_axes(image: NDArray[np.uint8], K: Array, cam_from_obj: Array, length: float) -> None:
    ends = apply(cam_from_obj, np.vstack([np.zeros(3), np.eye(3) * length]))
    if (ends[:, 2] < 0.01).any():
        return
    pixels, thick = project(K, ends), _thickness(image)
    order = np.argsort(-ends[1:, 2])  # the far ones first
    for axis in order:
        _lines(image, [pixels[[0, axis + 1]]], _DARK, thick + 2)
        _lines(image, [pixels[[0, axis + 1]]], _AXIS_COLORS[axis], thick)


def _place(width: int, height: int, box: Array, boxes: Sequence[Array], placed: Sequence[Array], image_width: int,
           image_height: int) -> Array:
    """Label position (xyxy) with the least overlap: beside its box, away from other objects and labels."""
    x0, y0, x1, y1 = box
    places = [(x0, y0 - height - 1), (x0, y1 + 2), (x1 - width, y0 - height - 1), (x1 - width, y1 + 2), (x1 + 2, y0),
             (x0 - width - 2, y0), (x1 + 2, y1 - height), (x0 - width - 2, y1 - height), (x0, y0 + 1)]
    corners = np.clip(places, 0, np.maximum([image_width - width, image_height - height], 0))
    candidates = np.hstack([corners, np.add(corners, [width, height])])
    costs = 0.02 * np.arange(len(places)) + _covered(candidates, boxes) + 4 * _covered(candidates, placed)
    return candidates[costs.argmin()]


def _covered(candidates: Array, boxes: Sequence[Array]) -> Array:
    """Fraction (N,) of each candidate (N, 4) that the boxes cover, summed over the boxes."""
    others = np.reshape(boxes, (-1, 4))
    sides = np.minimum(candidates[:, None, 2:], others[:, 2:]) - np.maximum(candidates[:, None, :2], others[:, :2])
    return np.clip(sides, 0, None).prod(axis=-1).sum(axis=1) / (candidates[:, 2:] - candidates[:, :2]).prod(axis=1)


def _lines(image: NDArray[np.uint8], lines: Sequence[Array] | Array, color: Color, thickness: int,
           closed: bool = False) -> None:
    """Draw lines, each (N, 2) pixels, anti-aliased."""
    import cv2

    fixed = list(_fixed(lines)) if isinstance(lines, np.ndarray) else [_fixed(points) for points in lines]
    cv2.polylines(image, fixed, closed, color, thickness, cv2.LINE_AA, _SUBPIXEL)


def _fixed(points: Array) -> NDArray[np.int32]:
    """Fixed-point coordinates of cv2."""
    return np.rint(np.clip(points, -1e5, 1e5) * (1 << _SUBPIXEL)).astype(np.int32)


def _scaled_box(box_xyxy: Array, scale: int) -> Array:
    return scale * (np.asarray(box_xyxy) + 0.5) - 0.5


def _box_corners(box: Array) -> Array:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _drawing_order(estimate: PoseEstimate) -> tuple[bool, float]:
    """Uncertain estimates first, far before near, so that certain and near ones are on top."""
    return estimate.status == "ok", 0.0 if estimate.cam_from_obj is None else -float(estimate.cam_from_obj[2, 3])


def _thickness(image: NDArray[np.uint8]) -> int:
    return max(1, round(image.shape[0] / 360))


def _even(size: int) -> int:
    return size + size % 2
