"""CPU time of fusing a frame, and whether the state of the fusion stays bounded.

    python tools/fuse_bench.py                      # milliseconds of CPU time per frame at ten tracks
    python tools/fuse_bench.py --frames 10000       # also: size of the state as time goes by

A simulated wrist camera takes images of the kit on a table. Estimates are sampled from the ground truth with noise:
every tenth object is missed, every seventh is flipped, and there are false positives at fixed places. The views repeat.
The errors of the robot are specified, so that each result has its whole error budget.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate, Region90
from posebot.core.transforms import Array, inverse, make, perturb
from posebot.stages.fuse import CameraError, Fuser
from posebot.video.simulated_camera import GroundTruthObject, SimulatedCamera

LIMIT_MS = 3.0
TRACKS = 10
_VIEWS, _SIGMA = 20, np.array([0.002, 0.002, 0.003, 0.02, 0.02, 0.02])
_FLIP = make(np.diag([1.0, -1, -1]))
_ERROR = CameraError(np.diag([1e-6] * 3 + [1e-5] * 3), np.diag([1e-8] * 3 + [1e-6] * 3), 0.005)
View = tuple[Frame, list[tuple[int, Array]]]


def views(seed: int) -> tuple[dict[int, ObjectModel], list[View]]:
    """The objects, and frames with cam_from_obj of all objects to detect in each, false positives included."""
    camera = SimulatedCamera(None, seed, fps=0.5)
    objects = dict(camera.objects)
    shots: list[View] = []
    for frame in camera.frames(_VIEWS):
        assert frame.base_from_cam is not None
        truths = camera.ground_truth(frame.frame_id)
        if not shots:
            false_positives = _false_positives(truths)
        visible = [(t.obj_id, t.base_from_obj) for t in truths if t.visib_fract > 0.3] + false_positives
        shots.append((frame, [(number, inverse(frame.base_from_cam) @ pose) for number, pose in visible]))
    camera.close()
    return objects, shots


def _false_positives(truths: Sequence[GroundTruthObject]) -> list[tuple[int, Array]]:
    """False positives that fill the map up to `TRACKS`: the first objects once more, beside the others."""
    return [(truth.obj_id, make(truth.base_from_obj[:3, :3], [0.35, 0.4 + 0.2 * i, 0.1]))
            for i, truth in enumerate(truths[:max(TRACKS - len(truths), 0)])]


def sampled_estimates(view: View, objects: dict[int, ObjectModel], rng: np.random.Generator) -> list[PoseEstimate]:
    """Estimates of the objects of a view: missed, flipped and noisy ones, as a pipeline gives them."""
    estimates = []
    for number, pose in view[1]:
        if rng.random() < 0.1:
            continue
        noisy = perturb(pose @ _FLIP if rng.random() < 0.15 else pose, _SIGMA * rng.normal(size=6))
        estimates.append(PoseEstimate(objects[number].label, number, float(rng.uniform(0.5, 1)), np.zeros(4), "ok",
                                      cam_from_obj=noisy, covariance=np.diag(_SIGMA**2), p_correct=0.8,
                                      region90=Region90(5.0, 3.0)))
    return estimates


def bench(objects: dict[int, ObjectModel], shots: list[View], frames: int, depth: bool) -> dict[str, float]:
    """Times and sizes of one run."""
    rng, fuser = np.random.default_rng(0), Fuser(list(objects.values()), error=_ERROR)
    times, tracks, sizes = [], [], {}
    for number in range(frames):
        view = shots[number % len(shots)]
        estimates = sampled_estimates(view, objects, rng)
        frame = replace(view[0], depth=view[0].depth if depth else None, captured_at=2.0 * number)
        start = time.process_time()
        fuser(frame, estimates)
        times.append(1000 * (time.process_time() - start))
        tracks.append(len(fuser.map()) if number % 50 == 0 else tracks[-1])
        if number + 1 in (max(frames // 10, 1), frames):
            sizes[number + 1] = state_bytes(fuser)
    first, last = sizes.values() if len(sizes) == 2 else (*sizes.values(), *sizes.values())
    return {"median_ms": float(np.median(times)), "mean_ms": float(np.mean(times)),
            "p95_ms": float(np.quantile(times, 0.95)), "tracks": float(np.mean(tracks)),
            "state_bytes_at_a_tenth": first, "state_bytes_at_the_end": last}


def state_bytes(fuser: Fuser) -> int:
    """Pickled size of a fuser's state without the object models."""
    return len(pickle.dumps({name: value for name, value in vars(fuser).items() if name not in ("_models", "_shapes")}))


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--seed", type=int, default=10_000, help="of the scene")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    objects, shots = views(options.seed)
    report = {name: bench(objects, shots, options.frames, depth) for name, depth in (("RGB-D", True), ("RGB", False))}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if options.json:
        print(json.dumps({"limit_ms": LIMIT_MS, "peak_memory_mb": round(peak), **report}, indent=2))
        return 0
    for name, row in report.items():
        print(f"{name:6s} {row['median_ms']:.2f} ms (mean {row['mean_ms']:.2f}, 95 % {row['p95_ms']:.2f}; limit "
              f"{LIMIT_MS:.1f}), {row['tracks']:.1f} tracks; state {row['state_bytes_at_a_tenth'] / 1000:.0f} kB after "
              f"{options.frames // 10} frames, {row['state_bytes_at_the_end'] / 1000:.0f} kB after {options.frames}")
    print(f"peak memory {peak:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
