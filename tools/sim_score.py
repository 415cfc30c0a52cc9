"""How good a bundle is on the simulated wrist camera, on scenes that no training has seen.

    python tools/sim_score.py --bundle kit --scenes 40 --frames 5

For each scene the hand takes a few pictures, two seconds apart. Each is judged alone and, in the same order, fused with
those before it. An instance counts where at least half of its silhouette is seen; it is correct where its MSSD is below
a tenth of its diameter. Prints the shares, RGB-D and RGB, alone and fused, and each object's; --json for machines.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence

from posebot.core.errors import EXIT_BAD_INPUT, PosebotError
from posebot.models.bundle import Bundle
from posebot.stages.fuse import Fuser
from posebot.stages.pipeline import Pipeline
from posebot.video.simcam import SimulatedCamera
from posebot.video.truth import Judge, Miss, shares

IN_SIGHT = 0.5
PAUSE_S = 2.0  # between two pictures of a scene
SENSES = ("rgbd", "rgb")


def score(bundle: Bundle, scenes: int, frames: int, first_seed: int, senses: Sequence[str]) -> dict[str, list[Miss]]:
    """The misses of every mode ("rgbd", "rgbd fused", …), over all scenes."""
    objects = None if bundle.manifest.name == "kit" else {model.obj_id: model for model in bundle.objects}
    pipelines = {sense: Pipeline(bundle, depth=sense == "rgbd", fuse=False) for sense in senses}
    judge = Judge(bundle.objects)
    misses: dict[str, list[Miss]] = {f"{sense}{fused}": [] for sense in senses for fused in ("", " fused")}
    start = time.monotonic()
    for number in range(scenes):
        camera = SimulatedCamera(objects, first_seed + number, fps=1 / PAUSE_S)
        fusers = {sense: Fuser(bundle.objects) for sense in senses}
        for frame in camera.frames(frames):
            truths = camera.truth(frame.frame_id)
            for sense, pipeline in pipelines.items():
                alone = pipeline(frame).estimates
                for mode, estimates in ((sense, alone), (f"{sense} fused", fusers[sense](frame, alone))):
                    judged = judge.judge(estimates, [(truth.obj_id, truth.base_from_obj) for truth in truths])
                    misses[mode] += [miss for miss, truth in zip(judged, truths) if truth.visib_fract >= IN_SIGHT]
        camera.close()
        told = "  ".join(f"{mode} {100 * sum(miss.correct for miss in found) / max(len(found), 1):.1f} %"
                         for mode, found in misses.items())
        print(f"scene {number + 1}/{scenes}  {time.monotonic() - start:.0f} s  {told}", file=sys.stderr, flush=True)
    return misses


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="kit")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--frames", type=int, default=5, help="pictures of each scene")
    parser.add_argument("--seed", type=int, default=10_000, help="of the first scene; the demo's are small")
    parser.add_argument("--senses", nargs="+", choices=SENSES, default=list(SENSES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        bundle = Bundle.open(options.bundle)
        misses = score(bundle, options.scenes, options.frames, options.seed, options.senses)
    except PosebotError as error:
        print(f"sim_score: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    labels = {model.obj_id: model.label for model in bundle.objects}
    report = {mode: shares(found, labels) for mode, found in misses.items()}
    if options.json:
        print(json.dumps({mode: {label: {name: value if math.isfinite(value) else None for name, value in share.items()}
                                 for label, share in table.items()} for mode, table in report.items()}, indent=2))
        return 0
    for mode, table in report.items():
        print(f"\n{mode}: share with MSSD < 0.1 d, of instances at least half in sight")
        for label, share in table.items():
            print(f"  {label:10s} {100 * share['correct']:5.1f} %   found {100 * share['found']:5.1f} %   "
                  f"median {share['translation_mm']:5.1f} mm {share['rotation_deg']:5.1f} deg   n {share['count']:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
