"""Overhead of the service over the bare pipeline: `python tools/serve_bench.py [--bundle kit] [--seconds 30]`.

Renders a few frames of the simulated wrist camera, starts `posebot serve` on them, and prints

- the time of POST /v1/infer (from a client on this machine) less decoding and the pipeline's own time,
- results a second of a stream through the service, and of a bare pipeline on the same images, in turns.

All in one run, so that ratios are meaningful on a machine that is shared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from serving import serving

from posebot.client import Client
from posebot.models.bundle import Bundle
from posebot.service.settings import Limits
from posebot.service.web.image_decoder import decode_depth, decode_image
from posebot.stages.pipeline import Pipeline
from posebot.video.intrinsics import load_intrinsics
from posebot.video.recordings import ImageSource
from posebot.video.simulated_camera import REALSENSE_D435, SimulatedCamera
from posebot.video.sinks import encode_image
from posebot.video.source import CapturedFrame

_FRAMES, _PORT = 8, 8917


def render(folder: Path) -> None:
    """rgb/, depth/ and camera.json of some frames of the simulated camera."""
    import cv2

    (folder / "rgb").mkdir(parents=True)
    (folder / "depth").mkdir()
    camera = SimulatedCamera(seed=1)
    for index in range(_FRAMES):
        frame = camera.frame(10 * index)
        assert frame.depth is not None
        (folder / "rgb" / f"{index}.png").write_bytes(encode_image(frame.rgb, ".png"))
        cv2.imwrite(str(folder / "depth" / f"{index}.png"), np.rint(frame.depth * 1e4).astype(np.uint16))
    camera.close()
    (folder.parent / "camera.json").write_text(json.dumps(REALSENSE_D435.to_dict() | {"depth_scale": 0.1}))


def configured(folder: Path, bundle: str, profile: str) -> Path:
    """A configuration with that folder as a camera without a frame rate."""
    where = str(Path(bundle).resolve()) if Path(bundle).exists() else bundle
    file = folder / "serve.yaml"
    camera = {"kind": "folder", "source": str(folder / "images"), "intrinsics": str(folder / "camera.json")}
    file.write_text(yaml.safe_dump({"state": "state", "port": _PORT, "profile": profile, "bundles": {"it": where},
                                    "active": "it", "cameras": {"recorded": camera},
                                    "streams": {"recorded": {"loop": True}}}))
    return file


def overhead(client: Client, images: Path, seconds: float) -> list[float]:
    """Milliseconds of each request less decoding and pipeline."""
    left: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(left) < _FRAMES:
        number = len(left) % _FRAMES
        rgb, depth = ((images / kind / f"{number}.png").read_bytes() for kind in ("rgb", "depth"))
        start = time.perf_counter()
        result = client.infer(rgb, REALSENSE_D435, depth=depth, depth_scale=0.1)
        whole = 1000 * (time.perf_counter() - start)
        start = time.perf_counter()
        decode_image(rgb, Limits(), "image")
        decode_depth(depth, 0.1, Limits())
        left.append(whole - result.stage_ms["total"] - 1000 * (time.perf_counter() - start))
    return left


def streamed(client: Client, seconds: float) -> float:
    """Results a second of the stream."""
    stream = client.stream("recorded")
    stream.start()
    while stream.status()["frames"] < 2:
        time.sleep(0.2)
    first, start = stream.status()["frames"], time.monotonic()
    time.sleep(seconds)
    rate = (stream.status()["frames"] - first) / (time.monotonic() - start)
    stream.stop()
    return float(rate)


def bare(pipeline: Pipeline, folder: Path, seconds: float) -> float:
    """Results a second of a pipeline on the same images, read as by `posebot infer`."""
    count, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        for shot in ImageSource(folder / "images", load_intrinsics(folder / "camera.json")).frames():
            assert isinstance(shot, CapturedFrame)
            pipeline(shot.frame)
            count += 1
    return count / (time.monotonic() - start)


def measure(folder: Path, bundle: str, seconds: float, profile: str) -> None:
    """Print the figures."""
    render(folder / "images")
    config = configured(folder, bundle, profile)
    with serving(config, _PORT) as client:
        left = overhead(client, folder / "images", seconds)
        low, middle, high = (float(np.quantile(left, share)) for share in (0.1, 0.5, 0.9))
        print(f"POST /v1/infer less decoding and pipeline: p50 {middle:.1f} ms (p10 {low:.1f}, p90 {high:.1f}), "
              f"{len(left)} requests", flush=True)
        pipeline = Pipeline(Bundle.open(bundle), fuse=False)
        bare(pipeline, folder, 1)
        ratios = []
        for _ in range(3):
            alone, served = bare(pipeline, folder, seconds / 3), streamed(client, seconds / 3)
            ratios.append(served / alone)
            print(f"stream {served:.2f} results/s, bare pipeline {alone:.2f}: {100 * ratios[-1]:.0f} %", flush=True)
        print(f"stream against bare pipeline, median: {100 * statistics.median(ratios):.0f} %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="kit")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--profile", default="fused", choices=("fused", "distributed"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        measure(Path(place), options.bundle, options.seconds, options.profile)
