"""posebot's detector stage against `ultralytics predict`, the same weights on the same pictures and processor.

    python tools/yolo_bench.py [--seconds 20] [--size 288x384]

The weights are those of a YOLO nano as it comes from its YAML: what a network has learnt does not change its speed.
Both do all that lies between a picture of 640x480 and boxes in its pixels, in turns of a second, so that other work on
the machine slows both.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from posebot.models.manifest import DetectorSpec
from posebot.models.runtime import Network
from posebot.stages.detect import OnnxDetector
from posebot.training.detectors import yolo
from posebot.training.export import export_onnx
from posebot.video.simulated_camera import SimulatedCamera

TARGET = 2.0


def rate(work: Callable[[NDArray[Any]], object], pictures: list[NDArray[Any]], seconds: float) -> tuple[int, float]:
    """How many pictures were done, and in how many seconds."""
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        work(pictures[done % len(pictures)])
        done += 1
    return done, spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", default="288x384", help="height x width of the network's input")
    arguments = parser.parse_args()
    height, width = (int(side) for side in arguments.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        yolo_class, weights = yolo._yolo(Path(folder) / "settings"), str(Path(folder) / "nano.pt")
        yolo_class(yolo.NETWORK, task="detect", verbose=False).save(weights)
        theirs = yolo_class(weights, task="detect")
        export_onnx(yolo.YoloExport(yolo_class(weights, task="detect").model, (height, width)),
                    Path(folder) / "detector.onnx")  # of a second copy: the export changes the head
        spec = DetectorSpec((height, width), 0.25, "yolo")
        ours = OnnxDetector(Network(Path(folder) / "detector.onnx"), spec)

        def predicted(picture: NDArray[Any]) -> object:
            return theirs.predict(picture[..., ::-1], imgsz=(height, width), conf=0.25, device="cpu", verbose=False)

        importlib.import_module("triton")  # before OpenGL: Mesa's LLVM and triton's, loaded in the other order, crash
        camera = SimulatedCamera(seed=1)
        pictures = [camera.frame(10 * number).rgb for number in range(8)]
        camera.close()
        counts: dict[str, list[float]] = {"ultralytics": [0, 0.0], "posebot": [0, 0.0]}
        for work in (predicted, ours):
            rate(work, pictures, 1.0)
        for _ in range(max(1, round(arguments.seconds / 2))):
            for name, work in (("ultralytics", predicted), ("posebot", ours)):
                done, spent = rate(work, pictures, 1.0)
                counts[name] = [counts[name][0] + done, counts[name][1] + spent]
    speeds = {name: done / spent for name, (done, spent) in counts.items()}
    for name, speed in speeds.items():
        print(f"{name:<12} {speed:6.1f} pictures/s  {1000 / speed:5.1f} ms")
    ratio = speeds["posebot"] / speeds["ultralytics"]
    print(f"ratio {ratio:.2f} (asked: {TARGET:g})")


if __name__ == "__main__":
    main()
