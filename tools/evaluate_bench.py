"""Run time of `posebot evaluate` on a csv, compared with a plain implementation of the definitions.

    python tools/evaluate_bench.py                          # 200 images of 8 objects on 2 processes
    python tools/evaluate_bench.py --frames 20 --processes 1 --plain 0

Eight turned parts of 8,400 vertices, each with a continuous symmetry (315 steps), one of each in every image; no
depth, so MSSD, MSPD, ADD-S and the 6-D detection scores are computed, and the report is written. Estimates are off by
0.1 mm to half a metre. Timed: the whole command, from reading the csv to report.html. Then `--plain` pairs are
evaluated by the plain implementation of the tests, and by bop_toolkit_lib where it is installed, and compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from posebot.cli.evaluate import run
from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.objects import ContinuousSymmetry, Mesh, ObjectModel
from posebot.core.transforms import Array, make, perturb, rotation_from_vector
from posebot.datasets.bop_writer import GroundTruth, SceneWriter
from posebot.evaluation import pose_errors
from posebot.evaluation.bop_csv import Row, write_csv
from posebot.evaluation.run import local_executor
from posebot.evaluation.worker import EvaluationSplit
from posebot.objects.bop_models import make_object, save_objects

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "evaluation"))
CAMERA = Camera(np.array([[572.4, 0, 325.3], [0, 573.6, 242.0], [0, 0, 1]]), 640, 480)
OBJECTS = 8


def part(obj_id: int) -> ObjectModel:
    """A surface of revolution: 120 rings of 70 vertices about z, metres."""
    rng = np.random.default_rng(obj_id)
    height = np.linspace(-0.05, 0.05, 120)
    radius = 0.02 + 0.01 * np.cos(height * rng.uniform(40, 120)) + rng.uniform(0, 0.01)
    turned = trimesh.creation.revolve(np.stack([radius, height], axis=1), sections=70)
    mesh = Mesh(np.asarray(turned.vertices), np.asarray(turned.faces, np.int32))
    return make_object(obj_id, f"part {obj_id}", mesh,
                       symmetries_continuous=(ContinuousSymmetry(np.array([0, 0, 1.0])),))


def make_dataset(folder: Path, frames: int) -> list[Row]:
    """Write models and a split "test" into the folder; returns an estimate of every object in it."""
    rng = np.random.default_rng(0)
    save_objects(folder / "models", {obj_id: part(obj_id) for obj_id in range(1, OBJECTS + 1)})
    writer, rows = SceneWriter(folder / "test", 1), []
    mask = np.zeros((480, 640), bool)
    mask[200:300, 250:400] = True
    grey = Frame(np.full((480, 640, 3), 90, np.uint8), CAMERA)
    for im_id in range(frames):
        poses = [make(rotation_from_vector(rng.normal(size=3) * 2), rng.uniform([-0.3, -0.2, 0.5], [0.3, 0.2, 1.2]))
                 for _ in range(OBJECTS)]
        box = np.array([250.0, 200, 400, 300])
        writer.add(im_id, grey, [GroundTruth(obj_id, pose, mask, mask, box, int(mask.sum()))
                                 for obj_id, pose in enumerate(poses, 1)])
        for obj_id, pose in enumerate(poses, 1):
            size = 10 ** rng.uniform(-4, -0.3)
            off = perturb(pose, rng.normal(size=6) * size * [1, 1, 1, 5, 5, 5])
            rows.append(Row(1, im_id, obj_id, rng.random(), off))
    writer.finish()
    return rows


def time_command(frames: int, processes: int) -> tuple[float, float]:
    """Wall-clock seconds of the command, and CPU seconds of all processes."""
    import resource

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_csv(folder / "estimates.csv", make_dataset(folder, frames))
        cpu_before = _cpu(resource)
        start = time.perf_counter()
        split, executor = EvaluationSplit(folder, "test"), local_executor(processes)
        run(split, None, folder / "estimates.csv", folder / "report", executor)
        return time.perf_counter() - start, _cpu(resource) - cpu_before


def _cpu(resource: Any) -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return float(sum(usage.ru_utime + usage.ru_stime for usage in usages))


def compare_implementations(count: int) -> dict[str, Any]:
    """CPU seconds per pair of MSSD and MSPD: posebot, a plain implementation, the BOP toolkit; largest difference."""
    import bop_reference as plain

    model, K, rng = part(1), CAMERA.K, np.random.default_rng(1)
    points, symmetries = model.mesh.vertices, model.symmetry_transforms(pose_errors.BOP_STEPS)
    gt = np.stack([make(rotation_from_vector(rng.normal(size=3)), [0.05, 0, 0.8]) for _ in range(count)])
    twists = rng.normal(size=(count, 6)) * 10 ** rng.uniform(-4, -0.3, (count, 1)) * [1, 1, 1, 5, 5, 5]
    est = perturb(gt, twists)
    implementations: dict[str, Callable[[], Any]] = {
        "posebot": lambda: (pose_errors.mssd(est, gt, points, symmetries),
                            pose_errors.mspd(est, gt, K, points, symmetries)),
        "plain": lambda: ([plain.mssd(e, g, points, list(symmetries)) for e, g in zip(est, gt)],
                          [plain.mspd(e, g, K, points, list(symmetries)) for e, g in zip(est, gt)]),
    }
    if (toolkit := _toolkit()) is not None:
        implementations["bop_toolkit_lib"] = lambda: toolkit(est, gt, K, points, symmetries)
    seconds, values = {}, {}
    for name, implementation in implementations.items():
        start = time.process_time()
        values[name] = np.array(implementation())
        seconds[name] = (time.process_time() - start) / count
    return {"seconds_per_pair": seconds, "ratio": {name: seconds[name] / seconds["posebot"] for name in seconds},
            "largest_difference": {name: float(np.abs(values[name] - values["posebot"]).max()) for name in values}}


def _toolkit() -> Callable[[Array, Array, Array, Array, Array], Any] | None:
    """MSSD and MSPD of BOP's own toolkit, or None where it is not installed."""
    try:
        from bop_toolkit_lib import pose_error
    except ImportError:
        return None

    def compute(est: Array, gt: Array, K: Array, points: Array, symmetries: Array) -> Any:
        syms = [{"R": symmetry[:3, :3], "t": symmetry[:3, 3:]} for symmetry in symmetries]
        pairs = [(e[:3, :3], e[:3, 3:], g[:3, :3], g[:3, 3:]) for e, g in zip(est, gt)]
        return ([pose_error.mssd(*pair, points, syms) for pair in pairs],
                [pose_error.mspd(*pair, K, points, syms) for pair in pairs])

    return compute


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--plain", type=int, default=8, help="pairs for the comparison of implementations; 0: none")
    options = parser.parse_args(arguments)
    wall, cpu = time_command(options.frames, options.processes)
    found = {"frames": options.frames, "objects": OBJECTS, "processes": options.processes, "wall_s": round(wall, 2),
             "cpu_s": round(cpu, 2), "bop_toolkit_lib": _toolkit() is not None}
    print(json.dumps(found | (compare_implementations(options.plain) if options.plain else {}), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
