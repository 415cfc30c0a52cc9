"""Accuracy of a bundle on the simulated wrist camera, on scenes outside all training sets, after 1, 2, 4 … fused views.

    python tools/sim_score.py --bundle kit --scenes 8 --views 1 2 4 8
    python tools/sim_score.py --bundle kit --scenes 8 --views 1 4 --noise-mm 1 --noise-deg 0.5

Images are taken two seconds apart and fused. After each number of views the fused map is evaluated in the latest image;
instances count if at least half of their silhouette is visible in it. Correct: MSSD below 10 % of the diameter. AR:
mean of the BOP recalls MSSD and MSPD (no VSD). Covered: ground truth within region90, of those found. With noise,
base_from_cam is perturbed along each axis with this standard deviation, drawn for each image, and fusion gets the same
covariance. Prints tables; --json for machines.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.errors import EXIT_BAD_INPUT, PosebotError
from posebot.core.frame import Frame
from posebot.core.results import PoseEstimate
from posebot.core.transforms import inverse, perturb
from posebot.evaluation.pose_errors import mspd
from posebot.models.bundle import Bundle
from posebot.stages.fuse import CameraError, Fuser
from posebot.stages.pipeline import Pipeline
from posebot.video.ground_truth import GroundTruthMatch, GroundTruthMatcher, summarize_matches
from posebot.video.simulated_camera import GroundTruthObject, SimulatedCamera

MIN_VISIBLE = 0.5
PAUSE_S = 2.0  # between two images of a scene
SENSES = ("rgbd", "rgb")
_STEPS = np.arange(0.05, 0.51, 0.05)


@dataclass(frozen=True)
class Case:
    """A ground-truth object with the estimate matched to it, and its MSPD in pixels (infinite without an estimate)."""

    match: GroundTruthMatch
    mspd: float

    @property
    def covered(self) -> bool:
        """Whether position and attitude lie within region90."""
        region = self.match.estimate.region90 if self.match.estimate else None
        return region is not None and (self.match.translation_mm <= region.translation_mm
                                       and self.match.rotation_deg <= region.rotation_deg)


def score(bundle: Bundle, options: argparse.Namespace) -> dict[str, list[Case]]:
    """The cases of every mode ("rgbd, 4 views", …), over all scenes."""
    objects = None if bundle.manifest.name == "kit" else {model.obj_id: model for model in bundle.objects}
    pipelines = {sense: Pipeline(bundle, depth=sense == "rgbd", fuse=False) for sense in options.senses}
    matcher, start = GroundTruthMatcher(bundle.objects), time.monotonic()
    sigma = np.array([options.noise_mm / 1000] * 3 + [math.radians(options.noise_deg)] * 3)
    cases: dict[str, list[Case]] = {f"{sense}, {views} views": []
                                    for sense in options.senses for views in options.views}
    for seed in range(options.seed, options.seed + options.scenes):
        camera, rng = SimulatedCamera(objects, seed, fps=1 / PAUSE_S), np.random.default_rng(seed)
        fusers = {sense: Fuser(bundle.objects, error=CameraError(kinematics=np.diag(sigma**2)))
                  for sense in options.senses}
        for views, frame in enumerate(camera.frames(max(options.views)), start=1):
            noisy = perturbed(frame, sigma * rng.normal(size=6))
            for sense, pipeline in pipelines.items():
                fusers[sense](noisy, pipeline(noisy).estimates)
                if views in options.views:
                    calibration = bundle.manifest.calibration
                    fused = fusers[sense].map(calibration.depth if sense == "rgbd" else calibration.rgb)
                    truths = camera.ground_truth(frame.frame_id)
                    cases[f"{sense}, {views} views"] += matched(matcher, fused, truths, frame)
        camera.close()
        summaries = "  ".join(f"{mode} {100 * sum(case.match.correct for case in group) / max(len(group), 1):.1f} %"
                              for mode, group in cases.items())
        print(f"scene {seed}  {time.monotonic() - start:.0f} s  {summaries}", file=sys.stderr, flush=True)
    return cases


def perturbed(frame: Frame, twist: np.ndarray) -> Frame:
    """The frame with an error in base_from_cam. twist: (6,) along the camera's axes, metres and radians."""
    assert frame.base_from_cam is not None
    rotation = frame.base_from_cam[:3, :3]
    pose = perturb(frame.base_from_cam, np.concatenate([rotation @ twist[:3], rotation @ twist[3:]]))
    return Frame(frame.rgb, frame.camera, frame.depth, pose, frame.frame_id, frame.captured_at)


def matched(matcher: GroundTruthMatcher, estimates: Sequence[PoseEstimate], truths: Sequence[GroundTruthObject],
            frame: Frame) -> list[Case]:
    """One case for each visible ground-truth object; MSPD in the camera at its true pose."""
    matches = matcher.match(estimates, [(truth.obj_id, truth.base_from_obj) for truth in truths])
    assert frame.base_from_cam is not None
    cam_from_base = inverse(frame.base_from_cam)
    cases = []
    for match, truth in zip(matches, truths):
        if truth.visib_fract < MIN_VISIBLE:
            continue
        pixels = math.inf
        if match.estimate is not None and match.estimate.base_from_obj is not None:
            model = matcher.models[truth.obj_id]
            pixels = float(mspd(cam_from_base @ match.estimate.base_from_obj, cam_from_base @ truth.base_from_obj,
                                frame.camera.K, model.mesh.vertices, model.symmetry_transforms(72))[0])
        cases.append(Case(match, pixels * 640 / frame.camera.width))
    return cases


def summary(cases: Sequence[Case], labels: dict[int, str]) -> dict[str, dict[str, float]]:
    """`summarize_matches` by label, with AR, share with status ok, share of those that are correct, and coverage."""
    table = summarize_matches([case.match for case in cases], labels)
    for label, share in table.items():
        group = [case for case in cases if label in ("all", labels[case.match.obj_id])]
        found = [case for case in group if case.match.estimate is not None]
        ok = [case for case in found if case.match.estimate and case.match.estimate.status == "ok"]
        surface, pixels = (np.array([value]).T for value in zip(*[(case.match.mssd, case.mspd) for case in group]))
        share["AR"] = float(((surface < _STEPS).mean() + (pixels < 100 * _STEPS).mean()) / 2)
        share["ok"] = len(ok) / len(group)
        share["ok_correct"] = sum(case.match.correct for case in ok) / len(ok) if ok else math.nan
        share["covered"] = sum(case.covered for case in found) / len(found) if found else math.nan
    return table


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="kit")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--views", type=int, nargs="+", default=[1, 2, 4, 8],
                        help="numbers of views after which the map is evaluated")
    parser.add_argument("--noise-mm", type=float, default=0.0, help="of base_from_cam, each axis, one sigma")
    parser.add_argument("--noise-deg", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=10_000, help="of the first scene; the demo's are small")
    parser.add_argument("--senses", nargs="+", choices=SENSES, default=list(SENSES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        bundle = Bundle.open(options.bundle)
        cases = score(bundle, options)
    except PosebotError as error:
        print(f"sim_score: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    labels = {model.obj_id: model.label for model in bundle.objects}
    report = {mode: summary(group, labels) for mode, group in cases.items()}
    if options.json:
        print(json.dumps({mode: {label: {name: value if math.isfinite(value) else None for name, value in share.items()}
                                 for label, share in table.items()} for mode, table in report.items()}, indent=2))
        return 0
    for mode, table in report.items():
        print(f"\n{mode}; instances at least half visible; %")
        for label, share in table.items():
            print(f"  {label:10s} correct {100 * share['correct']:5.1f}  AR {100 * share['AR']:5.1f}  "
                  f"found {100 * share['found']:5.1f}  ok {100 * share['ok']:5.1f}, correct "
                  f"{100 * share['ok_correct']:5.1f}  covered {100 * share['covered']:5.1f}   median "
                  f"{share['translation_mm']:5.1f} mm {share['rotation_deg']:5.1f} deg   n {share['count']:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
