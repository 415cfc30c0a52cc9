"""Calibration: run a bundle on held-out frames with known poses, and fit the parameters of certainty to its errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import box_iou
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array, difference
from posebot.datasets.augment import degrade
from posebot.datasets.bop import Annotation, BopDataset, ImageKey
from posebot.datasets.localizer_samples import clip_box
from posebot.evaluation.pose_errors import mssd
from posebot.models.bundle import Bundle
from posebot.models.calibration import Calibration, ModeCalibration
from posebot.models.runtime import Network
from posebot.models.verdict import CORRECT
from posebot.stages import POSE_STAGE_VERSION, certainty
from posebot.stages.detect import Detection, OnnxDetector
from posebot.stages.fuse import suppress
from posebot.stages.fusion.state import aligned
from posebot.stages.pipeline import Pipeline
from posebot.stages.solution import PoseSolution
from posebot.training import certainty_fit

_log = logging.getLogger(__name__)
Mode = Literal["rgb", "depth"]
MODES: tuple[Mode, ...] = ("rgb", "depth")
_SEEN = 0.3  # of an object: visible share of instances that count for recall
MIN_VISIBLE = 0.1  # less visible objects count neither for recall nor for precision
LOWEST, HIGHEST = 0.05, 0.4  # scores on real images are below those on rendered ones: no threshold above HIGHEST
_MAX_VERTICES = 1500
_VIEW_CORRELATION = {"rgb": 0.1, "depth": 0.0}  # not observable in single views: measured with the simulated camera


@dataclass(frozen=True)
class Observation:
    """One estimate and how far off it was.

    Attributes:
        frame: its image. mode: whether depth was used. obj_id, score, pose (cam_from_obj 4x4): of the estimate.
        features: of `certainty.features`. covariance: 6x6 of the weighted Hessian.
        mssd: metres. twist: six numbers, error of position (metres) and attitude (radians) modulo symmetry. Where no
        such object is in the image, `present` is false, and the errors are a diameter and half a turn.
    """

    frame: str
    mode: Mode
    obj_id: int
    score: float
    pose: list[list[float]]
    features: list[float]
    covariance: list[list[float]]
    mssd: float
    twist: list[float]
    present: bool = True


def held_out(dataset: BopDataset, scenes: Iterable[int], count: int, seed: int) -> list[ImageKey]:
    """At most `count` images of those scenes, a random sample that depends on the seed alone."""
    wanted = set(scenes)
    keys = [key for key in dataset.keys() if key.scene_id in wanted]  # noqa: SIM118
    order = np.random.default_rng(seed).permutation(len(keys))[:count]
    return [keys[index] for index in sorted(order)]


@dataclass(frozen=True)
class Boxes:
    """A detector's boxes on images with known poses.

    Attributes:
        scores: (N,). right: (N,), IoU 0.5 with such an object. found: (N,), right, and 30 % of it is visible.
        objects: (N,), numbers. wanted: instances of which 30 % is visible.
    """

    scores: Array
    right: NDArray[np.bool_]
    found: NDArray[np.bool_]
    objects: NDArray[np.int64]
    wanted: int


def boxes(bundle: Bundle, threshold: float, dataset: BopDataset, keys: Sequence[ImageKey],
          tick: Callable[[int], None] = lambda done: None) -> Boxes:
    """Boxes of the bundle's detector above that score, without those of objects visible by less than `MIN_VISIBLE`.

    tick: called with the number of images done.
    """
    spec = replace(bundle.manifest.detector, threshold=threshold)
    detector = OnnxDetector(Network(bundle.detector, name="detector.onnx"), spec)
    rows, wanted = [], 0
    for done, key in enumerate(keys, 1):
        frame, truths = dataset.frame(key), dataset.annotations(key)
        detections = detector(frame.rgb)
        for detection, truth in zip(detections, matched(detections, truths, bundle.objects, frame), strict=True):
            if truth is None or truth.visib_fract >= MIN_VISIBLE:
                rows.append((detection.score, truth is not None, truth is not None and truth.visib_fract >= _SEEN,
                             bundle.objects[detection.class_index].obj_id))
        wanted += sum(truth.visib_fract >= _SEEN for truth in truths)
        tick(done)
    table = np.array(rows, float).reshape(-1, 4)
    return Boxes(table[:, 0], table[:, 1] > 0, table[:, 2] > 0, table[:, 3].astype(np.int64), wanted)


def detector_threshold(seen: Boxes, precision: float, before: Boxes | None = None) -> tuple[float, dict[str, float]]:
    """The score threshold of detections, and the recall and precision at it.

    Args:
        seen: its boxes above `LOWEST`. precision: the target share of right boxes. before: boxes of the bundle that
        this one replaces, at its own threshold: on objects that both have, recall must not fall below theirs.
    Returns:
        The threshold, within `LOWEST` to `HIGHEST`; `detector_recall` (instances of which at least 30 % is visible) and
        `detector_precision` (share of boxes that are right at IoU 0.5) there.
    """
    place = chosen_threshold(seen.scores, seen.right, precision)
    if before is not None:
        known = seen.scores[seen.found & np.isin(seen.objects, before.objects)]
        place = lowered(place, known, int(before.found.sum()))
    kept = seen.scores >= place
    return place, {"detector_recall": float(np.sum(seen.found & kept) / max(seen.wanted, 1)),
                   "detector_precision": float(np.sum(seen.right & kept) / max(kept.sum(), 1))}


def lowered(threshold: float, scores: Array, count: int) -> float:
    """The threshold, or one so far below it (at least `LOWEST`) that `count` of the scores pass."""
    passing = np.sort(scores)[::-1][:count]
    if not passing.size:
        return threshold
    return min(threshold, max(LOWEST, float(np.floor(passing[-1] * 1e4) / 1e4)))


def matched(detections: Sequence[Detection], truths: Sequence[Annotation], objects: Sequence[ObjectModel], frame: Frame
            ) -> list[Annotation | None]:
    """The ground truth of each detection: same object, IoU over 0.5 with its amodal box, each truth once."""
    free = list(truths)
    result: list[Annotation | None] = []
    for detection in detections:
        same = [truth for truth in free if truth.obj_id == objects[detection.class_index].obj_id]
        boxes = np.array([clip_box(truth.box_amodal, frame.camera) for truth in same]).reshape(-1, 4)
        overlaps = box_iou(detection.box_xyxy, boxes)[0] if same else np.zeros(0)
        best = same[int(np.argmax(overlaps))] if same and overlaps.max() > 0.5 else None
        if best is not None:
            free.remove(best)
        result.append(best)
    return result


def chosen_threshold(scores: Array, right: NDArray[np.bool_], precision: float) -> float:
    """The lowest score above which at least `precision` of the boxes are right, kept within `LOWEST` to `HIGHEST`."""
    if not scores.size:
        return LOWEST
    order = np.argsort(-scores)
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(share >= precision)
    value = scores[order][good[-1]] if good.size else HIGHEST
    return round(float(np.clip(value, LOWEST, HIGHEST)), 4)


def observe(bundle: Bundle, dataset: BopDataset, keys: Sequence[ImageKey], log: Path,
            tick: Callable[[int], None] = lambda done: None, asked: Sequence[Mode] = ("rgb", "depth")
            ) -> list[Observation]:
    """All estimates on those images, with and without depth, beside the truth.

    Every other image is degraded (`datasets.augment.degrade`): a calibration on easier images than inference gets is
    overconfident.

    Args:
        log: a line of JSON is added for each image when it is done; images already in it are not run again, unless
            another version of the pose stage, or one with other features, wrote their line.
        tick: called with the number of images done. asked: modes; "depth" only where an image has it.
    """
    done = _read(log)
    pipelines: dict[Mode, Pipeline] = {"rgb": Pipeline(bundle, depth=False), "depth": Pipeline(bundle, depth=True)}
    log.parent.mkdir(parents=True, exist_ok=True)
    for count, key in enumerate(keys, 1):
        if key.frame_id not in done:
            frame, truths = dataset.frame(key), dataset.annotations(key)
            if count % 2 == 0:
                rng = np.random.default_rng([key.scene_id, key.im_id])
                frame = replace(frame, rgb=degrade(frame.rgb, rng))
            modes = [mode for mode in asked if mode == "rgb" or frame.depth is not None]
            done[key.frame_id] = [judged(solution, truths, bundle.objects, mode, key.frame_id)
                                  for mode in modes for solution in pipelines[mode].observe(frame)
                                  if solution.pose is not None]
            line = {"frame": key.frame_id, **_origin(), "observations": [asdict(one) for one in done[key.frame_id]]}
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
        tick(count)
    return [one for key in keys for one in done[key.frame_id]]


def judged(solution: PoseSolution, truths: Sequence[Annotation], objects: Sequence[ObjectModel], mode: Mode,
           frame: str = "") -> Observation:
    """One solution beside the nearest truth of the same object."""
    assert solution.pose is not None
    assert solution.covariance is not None
    detection = solution.localization.detection
    model = objects[detection.class_index]
    same = [truth for truth in truths if truth.obj_id == model.obj_id]
    error, twist = model.diameter, np.array([model.diameter, 0, 0, np.pi, 0, 0])
    if same:
        vertices = thinned(model)
        errors = [float(mssd(solution.pose[None], truth.cam_from_obj, vertices, model.symmetry_transforms())[0])
                  for truth in same]
        error, truth = min(errors), same[int(np.argmin(errors))].cam_from_obj
        twist = difference(aligned(solution.pose, truth, model), truth)
    return Observation(frame, mode, model.obj_id, detection.score, solution.pose.tolist(),
                       certainty.features(solution, model.diameter).tolist(), solution.covariance.tolist(), error,
                       twist.tolist(), bool(same))


def thinned(model: ObjectModel) -> Array:
    """Vertices (V, 3) of the mesh, few enough for errors of many poses."""
    return model.mesh.vertices[:: max(1, len(model.mesh.vertices) // _MAX_VERTICES)]


def fitted(observations: Sequence[Observation], objects: Sequence[ObjectModel]) -> tuple[Calibration, dict[str, float]]:
    """The calibration, and what was observed: the share of right poses and the median errors with and without depth."""
    models = {model.obj_id: model for model in objects}
    modes: dict[str, ModeCalibration] = {}
    metrics: dict[str, float] = {}
    for mode in MODES:
        own = [one for one in observations if one.mode == mode]
        if len(own) < 2:
            continue
        kept = survivors(own, certainty_fit.fit_probability(sampled(own, models)), models)
        sample = sampled(kept, models)
        modes[mode] = replace(certainty_fit.fit(sample), view_correlation=_VIEW_CORRELATION[mode])
        size = np.linalg.norm(sample.twist.reshape(-1, 2, 3), axis=2)
        metrics |= {f"{mode}_estimates": len(kept), f"{mode}_correct": float(sample.correct.mean()),
                    f"{mode}_translation_mm": float(1000 * np.median(size[:, 0])),
                    f"{mode}_rotation_deg": float(np.degrees(np.median(size[:, 1])))}
    return Calibration(**modes), metrics


def survivors(observations: Sequence[Observation], mode: ModeCalibration, models: dict[int, ObjectModel]
              ) -> list[Observation]:
    """Those that `stages.fuse.suppress` keeps: estimates that are never output must not enter the calibration."""
    frames: dict[str, list[PoseEstimate]] = {}
    for index, one in enumerate(observations):
        p_correct = certainty.probability(np.array(one.features), one.obj_id, mode)
        estimate = PoseEstimate("", one.obj_id, one.score, np.zeros(4), cam_from_obj=np.array(one.pose),
                                p_correct=p_correct, track_id=index)
        frames.setdefault(one.frame, []).append(estimate)
    kept = {estimate.track_id for estimates in frames.values() for estimate in suppress(estimates, models)}
    return [one for index, one in enumerate(observations) if index in kept]


def sampled(observations: Sequence[Observation], models: dict[int, ObjectModel]) -> certainty_fit.Sample:
    """The observations as arrays."""
    diameters = np.array([models[one.obj_id].diameter for one in observations])
    return certainty_fit.Sample(
        np.array([one.features for one in observations]), np.array([one.obj_id for one in observations]), diameters,
        np.array([one.mssd for one in observations]) < CORRECT * diameters,
        np.array([one.present for one in observations]), np.array([one.twist for one in observations]),
        np.array([one.covariance for one in observations]),
        np.unique([one.frame for one in observations], return_inverse=True)[1])


def _read(log: Path) -> dict[str, list[Observation]]:
    """What an interrupted run has left: neither a truncated last line nor lines of another pose stage count."""
    done: dict[str, list[Observation]] = {}
    other: set[str] = set()
    text = log.read_text() if log.exists() else ""
    for line in text.split("\n")[:-1]:
        entry: dict[str, Any] = json.loads(line)
        if any(entry.get(name) != value for name, value in _origin().items()):
            other.add(entry["frame"])
            continue
        done[entry["frame"]] = [Observation(**one) for one in entry["observations"]]
    if text and not text.endswith("\n"):
        log.write_text(text[:text.rfind("\n") + 1])
    if again := other - done.keys():
        _log.warning("%s: %d images were observed with another version of the pose stage; they are run again", log,
                     len(again))
    return done


def _origin() -> dict[str, Any]:
    """What a line of the log depends on: features are listed without their names, in this order."""
    return {"pose_stage": POSE_STAGE_VERSION, "features": list(certainty.feature_names())}
