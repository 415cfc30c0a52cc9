"""Score the detector alone, and the poses where boxes are given: which stage causes a bundle's errors.

    python tools/stage_score.py --bundle lmo --dataset DATA/lmo --split test
    python tools/stage_score.py --bundle lmo --dataset data/lmo --split val --every 3 --boxes true --depth

Detector, of instances at least 30 % visible, found with IoU 0.5 (whole object's box): "any": a box of the class with a
score of 0.03; "first": the best-scored box of the class is one; the recall at so many false boxes per image. Poses:
BOP's recalls of MSPD and MSSD on instances at least 10 % visible; boxes are the detector's that fit best ("matched",
IoU over 0.4; none counts as missed) or the true ones; "oracle": the best of the chosen pose and its alternatives. Each
object is solved by itself, without the ground-plane prior. Prints a table; --json for machines.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posebot.core.camera import box_iou
from posebot.core.errors import EXIT_BAD_INPUT, PosebotError
from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.datasets.bop import Annotation, BopDataset
from posebot.datasets.localizer_samples import clip_box
from posebot.evaluation.image_errors import compute_pose_errors
from posebot.evaluation.metrics import EvalModel
from posebot.evaluation.metrics.mspd import MSPD_THRESHOLDS, NORM_WIDTH
from posebot.evaluation.metrics.mssd import MSSD_THRESHOLDS
from posebot.models.bundle import Bundle
from posebot.models.runtime import Network
from posebot.stages.detect import Detection, OnnxDetector
from posebot.stages.localize import refine_crops
from posebot.stages.pipeline import Pipeline

_MIN_SCORE = 0.03  # of a box
_MIN_VISIBLE_FOUND, _MIN_VISIBLE_POSE = 0.3, 0.1  # least visible share, for boxes and for poses
_FOUND_IOU, _MATCH_IOU = 0.5, 0.4  # IoU
FALSE_BOXES = (2, 5, 10)


@dataclass(frozen=True)
class Boxes:
    """The boxes of one image, judged. scores, right: of each box. first: instances whose best-scored box fits.
    truths: instances."""

    scores: Array
    right: Array
    first: int
    truths: int


def judged_boxes(detections: Sequence[tuple[int, Detection]], truths: Sequence[tuple[int, Array]]) -> Boxes:
    """Boxes of one image, best first, against its instances. Both with their object's number."""
    free, right, first = set(range(len(truths))), [], 0
    for obj_id, detection in detections:
        fits = [i for i in free if truths[i][0] == obj_id and _iou(detection.box_xyxy, truths[i][1]) > _FOUND_IOU]
        free -= set(fits[:1])
        right.append(bool(fits))
    for obj_id, box in truths:
        best = next((detection for number, detection in detections if number == obj_id), None)
        first += best is not None and _iou(best.box_xyxy, box) > _FOUND_IOU
    return Boxes(np.array([detection.score for _, detection in detections]), np.array(right, bool), first, len(truths))


def recalls(images: Sequence[Boxes]) -> dict[str, float]:
    """Shares of all instances: found by any box, by the best-scored, and at `FALSE_BOXES` false boxes per image."""
    scores = np.concatenate([boxes.scores for boxes in images])
    right = np.concatenate([boxes.right for boxes in images])[np.argsort(-scores, kind="stable")]
    truths = max(sum(boxes.truths for boxes in images), 1)
    table = {"any": right.sum() / truths, "first": sum(boxes.first for boxes in images) / truths}
    wrong = np.cumsum(~right)
    for allowed in FALSE_BOXES:
        until = np.searchsorted(wrong, allowed * len(images), side="right")
        table[f"at {allowed} false"] = right[:until].sum() / truths
    return {name: float(value) for name, value in table.items()}


def pose_recalls(errors: Array) -> dict[str, float]:
    """BOP's recalls of errors (N, 2): MSPD, pixels at 640 wide, and MSSD, diameters; infinite: no pose."""
    limits = {"mspd": MSPD_THRESHOLDS, "mssd": MSSD_THRESHOLDS}
    return {name: float((errors[:, i, None] < limit).mean()) for i, (name, limit) in enumerate(limits.items())}


class _Scorer:
    def __init__(self, bundle: Bundle, options: argparse.Namespace) -> None:
        self.bundle, self.options = bundle, options
        self.pipeline = Pipeline(bundle, depth=options.depth, fuse=False, threads=options.threads)
        spec = bundle.manifest.detector
        network = Network(bundle.detector, threads=options.threads, name="detector.onnx")
        self.detectors = {views: OnnxDetector(network, replace(spec, threshold=_MIN_SCORE, tta_views=views), 200)
                          for views in sorted({1, spec.tta_views})}
        self.yardsticks = {model.obj_id: EvalModel.of(model) for model in bundle.objects}
        self.classes = {model.obj_id: index for index, model in enumerate(bundle.objects)}
        self.boxes: dict[int, list[Boxes]] = {views: [] for views in self.detectors}
        self.errors: list[Array] = []
        self.best: list[Array] = []

    def add(self, frame: Frame, truths: Sequence[Annotation]) -> None:
        """Add one image."""
        numbered = [(truth.obj_id, clip_box(truth.box_amodal, frame.camera)) for truth in truths]
        detections: list[tuple[int, Detection]] = []
        for views, detector in self.detectors.items():
            detections = [(self.bundle.objects[one.class_index].obj_id, one) for one in detector(frame.rgb)]
            seen = [pair for pair, truth in zip(numbered, truths, strict=True)
                    if truth.visib_fract >= _MIN_VISIBLE_FOUND]
            self.boxes[views].append(judged_boxes(detections, seen))
        for truth, (obj_id, box) in zip(truths, numbered, strict=True):
            if truth.visib_fract < _MIN_VISIBLE_POSE:
                continue
            given = [one for number, one in detections if number == obj_id and _iou(one.box_xyxy, box) > _MATCH_IOU]
            if self.options.boxes == "true":
                given = [Detection(self.classes[obj_id], 1.0, box)]
            self._pose(frame, truth, given[:1])

    def _pose(self, frame: Frame, truth: Annotation, given: list[Detection]) -> None:
        reach = self.bundle.manifest.localizer.box_jitter
        for localization in refine_crops(self.pipeline.localizer, frame.rgb, given, reach):
            solution = self.pipeline.solver(frame, localization, self.options.depth)
            if solution.pose is not None:
                poses = np.stack([solution.pose, *(other.cam_from_obj for other in solution.alternatives)])
                stick = self.yardsticks[truth.obj_id]
                table = compute_pose_errors(poses, truth.cam_from_obj[None], stick, frame.camera.K, None)
                errors = np.stack([table["mspd"][:, 0] * NORM_WIDTH / frame.camera.width,
                                   table["mssd"][:, 0] / stick.model.diameter], axis=1)
                self.errors.append(errors[0])
                self.best.append(errors.min(axis=0))
                return
        self.errors.append(np.full(2, np.inf))
        self.best.append(np.full(2, np.inf))

    def report(self) -> dict[str, Any]:
        """All figures, as shares."""
        return {"images": len(next(iter(self.boxes.values()))), "instances": len(self.errors),
                "detector": {f"{views} views": recalls(boxes) for views, boxes in self.boxes.items()},
                "poses": {self.options.boxes: pose_recalls(np.array(self.errors)),
                          "oracle": pose_recalls(np.array(self.best))}}


def _iou(box: Array, other: Array) -> float:
    return float(box_iou(box, other)[0, 0])


def score(bundle: Bundle, dataset: BopDataset, options: argparse.Namespace) -> dict[str, Any]:
    """The report over every `options.every`-th image. Raises InputError where the data set has none."""
    scorer = _Scorer(bundle, options)
    for key in list(dataset.keys())[::options.every]:
        scorer.add(dataset.frame(key), [truth for truth in dataset.annotations(key) if truth.obj_id in scorer.classes])
    return scorer.report()


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--every", type=int, default=1, help="use every N-th image")
    parser.add_argument("--boxes", choices=("matched", "true"), default="matched")
    parser.add_argument("--depth", action="store_true")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        report = score(Bundle.open(options.bundle), BopDataset(options.dataset, options.split), options)
    except PosebotError as error:
        print(f"stage_score: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    if options.json:
        print(json.dumps(report, indent=2))
        return 0
    print(f"{report['images']} images, {report['instances']} instances at least 10 % visible; %")
    for part in ("detector", "poses"):
        for name, shares in report[part].items():
            print(f"  {part:8s} {name:8s} " + "  ".join(f"{what} {100 * share:.1f}" for what, share in shares.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
