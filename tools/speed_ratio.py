"""Time two checkouts of posebot on the same frames, alternating frame by frame, so that both see the same machine load.

    python tools/speed_ratio.py BASE_CHECKOUT NEW_CHECKOUT --bundle lmo --source DATA/lmo --split test --frames 30

Each checkout runs in a process of its own; while one works on a frame, the other waits. Prints total and median
milliseconds of both, by the clock and of the processor (which other processes disturb less), and the ratios new / base.
--limit: exits with 3 where the ratio of the processor's totals exceeds it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

EXIT_SLOWER = 3
_WARM_UP = 3  # frames
_WORKER = """
import sys
import time
from posebot.datasets.bop import BopDataset
from posebot.models.bundle import Bundle
from posebot.stages.pipeline import Pipeline
source, split, bundle, depth, threads = sys.argv[1:6]
data = BopDataset(source, split)
pipeline = Pipeline(Bundle.open(bundle), depth=depth == "depth", fuse=False, threads=int(threads))
keys = list(data.keys())
print("ready", flush=True)
for line in sys.stdin:
    frame = data.frame(keys[int(line) % len(keys)])
    start, cpu = time.perf_counter(), time.process_time()
    pipeline(frame)
    print(1000 * (time.perf_counter() - start), 1000 * (time.process_time() - cpu), flush=True)
"""


def start(checkout: Path, options: argparse.Namespace, bundle: str) -> subprocess.Popen[str]:
    """A worker of one checkout, ready for frame numbers on its stdin."""
    command = [sys.executable, "-c", _WORKER, str(Path(options.source).resolve()), options.split, bundle,
               "depth" if options.depth else "no-depth", str(options.threads)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout,
                              env=os.environ | {"PYTHONPATH": str(checkout)})
    assert worker.stdout is not None
    while worker.stdout.readline().strip() != "ready":
        if worker.poll() is not None:
            raise SystemExit(f"speed_ratio: error: the worker of {checkout} failed")
    return worker


def measure(worker: subprocess.Popen[str], frame: int) -> list[float]:
    """Milliseconds that a worker needs for one frame: by the clock, and of the processor."""
    assert worker.stdin is not None and worker.stdout is not None
    print(frame, file=worker.stdin, flush=True)
    return [float(value) for value in worker.stdout.readline().split()]


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--new-bundle", default="", help="of the new checkout, where it differs")
    parser.add_argument("--depth", action="store_true")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=float("inf"))
    options = parser.parse_args()
    workers = (start(options.base.resolve(), options, options.bundle),
               start(options.new.resolve(), options, options.new_bundle or options.bundle))
    times = np.array([[measure(worker, frame) for worker in workers[::1 if frame % 2 else -1]][::1 if frame % 2 else -1]
                      for frame in range(options.frames + _WARM_UP)])[_WARM_UP:]
    for worker in workers:
        worker.communicate()
    for kind, each in (("clock", times[..., 0]), ("processor", times[..., 1])):
        (base, new), (base_median, new_median) = each.sum(axis=0), np.median(each, axis=0)
        print(f"{kind:9s} base {base:9.1f} ms, median {base_median:7.1f}  new {new:9.1f} ms, median {new_median:7.1f}  "
              f"ratio {new / base:.3f}, median {np.median(each[:, 1] / each[:, 0]):.3f}")
    return EXIT_SLOWER if times[:, 1, 1].sum() / times[:, 0, 1].sum() > options.limit else 0


if __name__ == "__main__":
    sys.exit(main())
