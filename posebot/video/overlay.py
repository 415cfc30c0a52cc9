"""An honest image of a result: drawn on the very frame it was computed from.

Each object has its box, the outline of its mesh at the estimated pose, its axes (x red, y green, z blue) and a label
with the certainty; the colour tells the status. A footer below the image tells the frame, its age and the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

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


class Overlay:
    """Draws results of a bundle's objects.

    Args:
        objects: the models, for outlines and axes. scale: the image is enlarged by this whole number first.
    """

    def __init__(self, objects: Iterable[ObjectModel], scale: int = 1) -> None:
        self.objects = {model.obj_id: model for model in objects}
        self.outlines: dict[int, MeshOutline] = {}
        self.scale = scale

    def draw(self, frame: Frame, result: FrameResult) -> NDArray[np.uint8]:
        """uint8 (H', W', 3), red first; H' and W' are even, H' has the footer in it. The frame is left as it is."""
        import cv2

        scale, (height, width) = self.scale, frame.rgb.shape[:2]
        footer = FOOTER * max(1, round(height * scale / 480))
        canvas = np.zeros((_even(height * scale + footer), _even(width * scale), 3), np.uint8)
        image = canvas[:height * scale, :width * scale]
        image[:] = frame.rgb if scale == 1 else cv2.resize(frame.rgb, None, fx=scale, fy=scale,
                                                             interpolation=cv2.INTER_CUBIC)
        K = resize_K(frame.camera.K, scale, scale)
        for estimate in sorted(result.estimates, key=_drawing_order):
            self._draw_estimate(image, K, estimate)
        self._draw_labels(image, result.estimates)
        canvas[height * scale:] = _DARK
        _draw_footer(canvas[height * scale:], result)
        return canvas

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
        sure = estimate.status == "ok"  # a doubtful pose is drawn thin and without detail
        if sure:
            _lines(image, lines.contours, _DARK, thick + 2, closed=True)
            _lines(image, lines.creases, color, 1)
        _lines(image, lines.contours, color, thick, closed=True)
        _draw_axes(image, K, estimate.cam_from_obj, (0.4 if sure else 0.2) * model.diameter)

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
    """What stands beside an object: name and track, certainty, and the 90 % radius of its position."""
    name = estimate.label if estimate.track_id is None else f"{estimate.label} #{estimate.track_id}"
    if estimate.status == "no_pose":
        return f"{name}  no pose"
    radius = "" if estimate.region90 is None else f"  ±{estimate.region90.translation_mm:.1f} mm"
    return f"{name}  {estimate.p_correct * 100:.0f} %{radius}"


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
    """Where a label hides least: xyxy beside its own box, away from other objects and labels, inside the image."""
    x0, y0, x1, y1 = box
    spots = [(x0, y0 - height - 1), (x0, y1 + 2), (x1 - width, y0 - height - 1), (x1 - width, y1 + 2), (x1 + 2, y0),
             (x0 - width - 2, y0), (x1 + 2, y1 - height), (x0 - width - 2, y1 - height), (x0, y0 + 1)]
    corners = np.clip(spots, 0, np.maximum([image_width - width, image_height - height], 0))
    candidates = np.hstack([corners, np.add(corners, [width, height])])
    costs = 0.02 * np.arange(len(spots)) + _covered(candidates, boxes) + 4 * _covered(candidates, placed)
    return candidates[costs.argmin()]


def _covered(spots: Array, boxes: Sequence[Array]) -> Array:
    """How much of each spot (N, 4) the boxes cover, summed over the boxes, in areas of the spot: (N,)."""
    others = np.reshape(boxes, (-1, 4))
    sides = np.minimum(spots[:, None, 2:], others[:, 2:]) - np.maximum(spots[:, None, :2], others[:, :2])
    return np.clip(sides, 0, None).prod(axis=-1).sum(axis=1) / (spots[:, 2:] - spots[:, :2]).prod(axis=1)


def _lines(image: NDArray[np.uint8], lines: Sequence[Array] | Array, color: Color, thickness: int,
           closed: bool = False) -> None:
    """Draw lines, each (N, 2) pixels, anti-aliased."""
    import cv2

    fixed = list(_fixed(lines)) if isinstance(lines, np.ndarray) else [_fixed(points) for points in lines]
    cv2.polylines(image, fixed, closed, color, thickness, cv2.LINE_AA, _SUBPIXEL)


def _fixed(points: Array) -> NDArray[np.int32]:
    """cv2's fixed-point coordinates."""
    return np.rint(np.clip(points, -1e5, 1e5) * (1 << _SUBPIXEL)).astype(np.int32)


def _scaled_box(box_xyxy: Array, scale: int) -> Array:
    return scale * (np.asarray(box_xyxy) + 0.5) - 0.5


def _box_corners(box: Array) -> Array:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _drawing_order(estimate: PoseEstimate) -> tuple[bool, float]:
    """What is doubtful first, so that what is sure lies on top; the far before the near."""
    return estimate.status == "ok", 0.0 if estimate.cam_from_obj is None else -float(estimate.cam_from_obj[2, 3])


def _thickness(image: NDArray[np.uint8]) -> int:
    return max(1, round(image.shape[0] / 360))


def _even(size: int) -> int:
    return size + size % 2
