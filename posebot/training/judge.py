"""The verdict on held-out observations: which estimate is of which instance, and what is "ok"; and what would help.

"ok" is judged by p_correct of a model that has not seen the image (cross-fitting), at the threshold of the bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.config import Document, validate
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, rotation_from_vector
from posebot.datasets.bop import Annotation, BopDataset, ImageKey
from posebot.evaluation.pose_errors import mssd
from posebot.models.calibration import Calibration, ModeCalibration
from posebot.models.training_range import TrainingRange
from posebot.models.verdict import IN_SIGHT, TARGET, Judged, ModeVerdict, ObjectVerdict, Verdict, count
from posebot.objects.geometry import surface_center
from posebot.stages.certainty import calibrated, radii, too_wide
from posebot.training import calibrate, certainty_fit
from posebot.training.calibrate import MODES, Mode, Observation, thinned

SMALL_PIXELS = 40
"""Size of an object in the picture, longer side of its box, from which poses get accurate."""
MANY_EPOCHS = 30
"""Times that each crop is seen, from which more frames help more than more time."""
ENOUGH = {"detector": (10_000, "pictures"), "localizer": (50_000, "crops")}
"""Samples of each network with which a bundle begins to be of use with depth."""
_FALLING = 0.05  # a loss that falls by this share in the last quarter is still falling
_RANGE_IMAGES = 2000

Truths = Mapping[str, Sequence[Annotation]]
"""Ground truth by the frame's identifier."""


def verdict(observations: Sequence[Observation], dataset: BopDataset, keys: Sequence[ImageKey],
            objects: Sequence[ObjectModel], calibration: Calibration, precision: float | None = None) -> Verdict:
    """What the observations of those images say of a bundle with this calibration. precision: of its detections."""
    truths = {key.frame_id: dataset.annotations(key) for key in keys}
    modes: dict[Mode, dict[int, ModeVerdict]] = {}
    judged_modes = {one.mode for one in observations} | _modes_of(dataset, keys)  # also where nothing was found
    for mode in MODES:
        own = [one for one in observations if one.mode == mode]
        if mode in judged_modes:
            modes[mode] = _counted(own, truths, objects, getattr(calibration, mode))
    return Verdict(len(keys), tuple(ObjectVerdict(model.obj_id, **{mode: found[model.obj_id]
                                                                    for mode, found in modes.items()})
                                    for model in objects), precision)


def _modes_of(dataset: BopDataset, keys: Sequence[ImageKey]) -> set[Mode]:
    """What the images allow; their first one tells."""
    if not keys:
        return set()
    return {"rgb"} if dataset.frame(keys[0]).depth is None else {"rgb", "depth"}


def read(data: Mapping[str, Any] | None) -> Verdict | None:
    """The verdict of plain data, as a run keeps it; None where there is none."""
    return None if data is None else validate(Document("verdict", dict(data)), Verdict)


def merged(new: Verdict, old: Verdict | None, modes: Sequence[Mode]) -> Verdict:
    """`new`, with the numbers of `old` for the modes that were not judged again, and its precision."""
    before = {one.obj_id: one for one in old.objects} if old is not None else {}

    def kept(one: ObjectVerdict, mode: Mode) -> ModeVerdict | None:
        found: ModeVerdict | None = getattr(one if mode in modes else before.get(one.obj_id), mode, None)
        return found

    objects = tuple(ObjectVerdict(one.obj_id, kept(one, "depth"), kept(one, "rgb")) for one in new.objects)
    precision = new.precision if new.precision is not None or old is None else old.precision
    return Verdict(new.frames, objects, precision)


def _counted(observations: Sequence[Observation], truths: Truths, objects: Sequence[ObjectModel],
             mode: ModeCalibration) -> dict[int, ModeVerdict]:
    """The counts of each object in one mode, of the estimates that inference would output."""
    models = {model.obj_id: model for model in objects}
    kept = calibrate.survivors(observations, mode, models)
    ok, of = is_ok(kept, models, mode), nearest(kept, truths, models)
    everything = [truth for found in truths.values() for truth in found]
    counts = {}
    for number, model in models.items():
        rows = [index for index, one in enumerate(kept) if one.obj_id == number]
        own = [judged(kept[index], of[index], bool(ok[index]), model) for index in rows]
        visible = [truth.visib_fract for truth in everything if truth.obj_id == number]
        counts[number] = count(own, sum(share >= IN_SIGHT for share in visible),
                               sum(share >= TARGET for share in visible))
    return counts


def is_ok(observations: Sequence[Observation], models: dict[int, ObjectModel], mode: ModeCalibration
          ) -> NDArray[np.bool_]:
    """Which of the estimates (N,) would have the status "ok"."""
    if not observations or mode.never_ok:
        return np.zeros(len(observations), bool)
    sample = calibrate.sampled(observations, models)
    p = certainty_fit.cross_fitted(sample, mode)

    def narrow(index: int) -> bool:
        obj, diameter = int(sample.obj_id[index]), float(sample.diameter[index])
        region = radii(float(p[index]), calibrated(sample.covariance[index], diameter, mode), diameter, obj, mode)
        return not too_wide(region, diameter)

    return np.array([p[index] >= mode.ok_threshold and narrow(index) for index in range(len(p))], bool)


def nearest(observations: Sequence[Observation], truths: Truths, models: Mapping[int, ObjectModel]
            ) -> list[tuple[Annotation | None, bool]]:
    """For each estimate the nearest instance of its object, and whether it is the best estimate of that instance."""
    errors: list[tuple[float, int, Annotation]] = []
    found: list[tuple[Annotation | None, bool]] = [(None, False)] * len(observations)
    for index, one in enumerate(observations):
        same = [truth for truth in truths.get(one.frame, ()) if truth.obj_id == one.obj_id]
        if same:
            error, truth = _closest(one, same, models[one.obj_id])
            found[index] = (truth, False)
            errors.append((error, index, truth))
    taken: set[int] = set()
    for _, index, truth in sorted(errors, key=lambda row: row[:2]):
        if id(truth) not in taken:
            taken.add(id(truth))
            found[index] = (truth, True)
    return found


def _closest(one: Observation, same: Sequence[Annotation], model: ObjectModel) -> tuple[float, Annotation]:
    if len(same) == 1:
        return one.mssd, same[0]
    vertices, symmetries = thinned(model), model.symmetry_transforms()
    pose = np.array(one.pose)[None]
    errors = [float(mssd(pose, truth.cam_from_obj, vertices, symmetries)[0]) for truth in same]
    best = int(np.argmin(errors))
    return errors[best], same[best]


def judged(one: Observation, of: tuple[Annotation | None, bool], ok: bool, model: ObjectModel) -> Judged:
    """One estimate for the counts: its errors, and how much of its instance is visible."""
    truth, best = of
    twist = np.array(one.twist)
    axes: Array = np.eye(3) if truth is None else truth.cam_from_obj[:3, :3]
    lever = axes @ surface_center(model.mesh)
    moved = twist[:3] + rotation_from_vector(twist[3:]) @ lever - lever
    return Judged(model.diameter, one.mssd, float(np.linalg.norm(twist[:3])), axes.T @ twist[3:], ok,
                  float(np.linalg.norm(moved)), truth.visib_fract if truth is not None and best else 0.0)


def training_ranges(data: BopDataset, scenes: Sequence[int], objects: Sequence[ObjectModel]) -> list[TrainingRange]:
    """Size and distance of each object in up to `_RANGE_IMAGES` images of these scenes, spread evenly."""
    wanted = set(scenes)
    keys = [key for key in data.keys() if key.scene_id in wanted]  # noqa: SIM118
    keys = keys[:: max(1, len(keys) // _RANGE_IMAGES)]
    if not keys:
        return []
    seen = [truth for key in keys for truth in data.annotations(key) if truth.visib_fract >= TARGET]
    camera = data.frame(keys[0]).camera
    ranges = []
    for model in objects:
        own = [truth for truth in seen if truth.obj_id == model.obj_id]
        sides = np.array([max(truth.box_amodal[2:] - truth.box_amodal[:2]) for truth in own])
        far = np.array([np.linalg.norm(truth.cam_from_obj[:3, 3]) for truth in own])
        if own:
            ranges.append(TrainingRange(model.obj_id, _quantiles(sides, 1), _quantiles(far, 3),
                                        (camera.width, camera.height)))
    return ranges


def _quantiles(values: Array, digits: int) -> tuple[float, float, float]:
    low, middle, high = (round(float(value), digits) for value in np.quantile(values, (0.05, 0.5, 0.95)))
    return low, middle, high


def advice(result: Verdict, labels: Mapping[int, str], epochs: float | None = None,
           falling: Mapping[str, tuple[float, float]] | None = None, pixels: Mapping[int, float] | None = None,
           samples: Mapping[str, float] | None = None) -> list[str]:
    """What would make the bundle better, a line each, most useful first.

    Args:
        labels: of the objects. epochs: how often each crop was seen in training. falling: by network, what was learned
            towards at three quarters of the training and at its end (loss or error). pixels: median size of each object
            in the training pictures, longer side of its box. samples: by network, how many it saw.
    """
    short = [name for name, (needed, _) in ENOUGH.items() if 0 < (samples or {}).get(name, needed) < needed]
    enough = {name: values for name, values in (falling or {}).items() if name not in short}
    return [*_symmetries(result, labels), *_enough(short, samples or {}), *_time(enough),
            *_small(labels, pixels or {}), *_more(epochs)]


def _symmetries(result: Verdict, labels: Mapping[int, str]) -> Iterable[str]:
    for one in result.objects:
        turn = next((mode.unknown_turn for mode in (one.depth, one.rgb) if mode is not None and mode.unknown_turn), "")
        if turn:
            yield (f"{labels[one.obj_id]}: where the {turn} does not matter, declare the symmetry (posebot objects "
                   "build --symmetric); where it does, come nearer, so that what breaks it is seen")


def _enough(short: Iterable[str], samples: Mapping[str, float]) -> Iterable[str]:
    for name in short:
        needed, unit = ENOUGH[name]
        yield (f"more minutes, about {needed / samples[name]:.1f} times as many: the {name} saw {samples[name]:,.0f} "
               f"{unit}; it takes some {needed:,}")


def _time(falling: Mapping[str, tuple[float, float]]) -> Iterable[str]:
    """Of networks that saw enough: with fewer samples, more are needed whatever the last quarter did."""
    for name, (before, after) in falling.items():
        still = after < (1 - _FALLING) * before
        yield (f"more minutes: the {name}'s loss {'still fell' if still else 'no longer fell'} in the last quarter "
               f"({before:.2g} to {after:.2g}): {'yes' if still else 'of little use'}")


def _small(labels: Mapping[int, str], pixels: Mapping[int, float]) -> Iterable[str]:
    for number, size in pixels.items():
        if size < SMALL_PIXELS:
            yield (f"{labels[number]}: larger in the picture: {size:.0f} pixels wide in half of the training pictures; "
                   f"{SMALL_PIXELS} and more are better (posebot synth --distance, or a longer lens)")


def _more(epochs: float | None) -> Iterable[str]:
    if epochs is not None and epochs > MANY_EPOCHS:
        yield f"more frames: each crop was seen {epochs:.0f} times (posebot synth --frames)"


