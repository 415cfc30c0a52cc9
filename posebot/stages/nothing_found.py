"""Why nothing may have been found in a picture: what can be told from the picture and from what the bundle records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from posebot.core.frame import Frame
from posebot.models.manifest import DetectorSpec, Manifest
from posebot.models.training_range import TrainingRange
from posebot.stages.detect import Detection

_DARK, _BRIGHT, _FLAT = 20.0, 235.0, 6.0  # mean and spread of the grey values, 0..255
_CANDIDATE = 0.3  # of the threshold: a weaker candidate says nothing
_BEYOND = 1.2  # times the training pictures' distance or size


def why_nothing(frame: Frame, best: Detection | None, manifest: Manifest) -> str:
    """One line, each part a possibility and no more; never empty.

    Args:
        best: the detection with the highest score, below the threshold; None where it is not known.
    """
    parts = [*_picture(frame), *_candidate(frame, best, manifest), *_distance(frame, manifest.training_range)]
    return "; ".join(parts) or ("no object of this model is in view, or it looks unlike the training pictures "
                                "(surface, light, camera)")


def _picture(frame: Frame) -> Iterator[str]:
    grey = frame.rgb.mean(axis=2)
    level, spread = float(grey.mean()), float(grey.std())
    if level < _DARK:
        yield "the picture is nearly black"
    elif level > _BRIGHT:
        yield "the picture is overexposed"
    elif spread < _FLAT:
        yield "the picture has hardly any contrast"


def _candidate(frame: Frame, best: Detection | None, manifest: Manifest) -> Iterator[str]:
    threshold = manifest.detector.threshold
    if best is None or best.score < _CANDIDATE * threshold:
        return
    reference = manifest.objects[best.class_index]
    yield f"the best candidate, {reference.label}, scores {best.score:.2f}; the threshold is {threshold:.2f}"
    known = next((one for one in manifest.training_range if one.obj_id == reference.obj_id), None)
    if known is None:
        return
    side = float(max(best.box_xyxy[2:] - best.box_xyxy[:2]))
    low, high = (size * _input_scale(known.picture_size, manifest.detector)
                 / _input_scale((frame.camera.width, frame.camera.height), manifest.detector)
                 for size in (known.pixels[0], known.pixels[2]))
    if side < low / _BEYOND or side > high * _BEYOND:
        small = side < low
        yield (f"it may be too {'small' if small else 'near'}: {side:.0f} pixels wide, in the training pictures it "
               f"would be {low:.0f} to {high:.0f}")


def _input_scale(size: tuple[int, int], spec: DetectorSpec) -> float:
    """Pixels of the network's input a pixel of the picture (width, height)."""
    return min(spec.input_size[1] / size[0], spec.input_size[0] / size[1])


def _distance(frame: Frame, ranges: Sequence[TrainingRange]) -> Iterator[str]:
    if frame.depth is None or not ranges:
        return
    measured = frame.depth[frame.depth > 0]
    if not measured.size:
        yield "the depth picture is empty"
        return
    near, far = min(one.distance_m[0] for one in ranges), max(one.distance_m[2] for one in ranges)
    nearest, farthest = np.quantile(measured, (0.02, 0.98))
    if nearest > far * _BEYOND:
        yield f"it may be too far: all is beyond {nearest:.2f} m, the training pictures end at {far:.2f} m"
    elif farthest < near / _BEYOND:
        yield f"it may be too near: all is within {farthest:.2f} m, the training pictures begin at {near:.2f} m"
