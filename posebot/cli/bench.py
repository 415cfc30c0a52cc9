"""`posebot bench`: the time of each stage on this machine, compared with that of the bare networks."""

from __future__ import annotations

import platform
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebot.cli._common import BundleOption, DepthFlag, JsonFlag, SplitOption, output, print_json
from posebot.core.errors import DatasetError

if TYPE_CHECKING:
    from posebot.core.frame import Frame
    from posebot.models.bundle import Bundle

METHOD = (
    "Wall-clock time of each stage, frame by frame in one process; median and 90th percentile, without two warm-up "
    "frames. Bare: the networks alone on the same inputs, with the same threads, run after each frame."
)


def bench(
    bundle: BundleOption = "kit",
    dataset: Annotated[
        Path | None, typer.Option("--dataset", help="BOP data set with the frames; default: the simulated camera.")
    ] = None,
    split: SplitOption = "test",
    frames: Annotated[int, typer.Option("--frames", min=1, max=1000, help="Number of frames to measure.")] = 20,
    runtime: Annotated[
        str, typer.Option("--runtime", help="openvino, openvino-bf16, onnxruntime, cuda, auto, or all.")
    ] = "auto",
    threads: Annotated[
        int, typer.Option("--threads", min=0, help="Threads of the networks and of the pose stage; 0: all cores.")
    ] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Maximum number of objects in a frame.")] = 20,
    depth: DepthFlag = True,
    json: JsonFlag = False,
) -> None:
    """Measure the time of detection, localization, pose, certainty and fusion, with the hardware and the method."""
    from posebot.models.bundle import Bundle
    from posebot.models.runtime import available, choose
    from posebot.stages.timing import WARM_UP, time_stages

    runtimes = [choose(runtime)] if runtime != "all" else available(automatic=False)
    opened = Bundle.open(bundle)
    measured = _frames(opened, dataset, split, frames + WARM_UP)
    reports = []
    for name in runtimes:
        timings, objects = time_stages(opened, measured, name, threads, depth, limit)
        reports.append({"runtime": name, "threads": threads, "frames": max(len(measured) - WARM_UP, 1),
                        "objects_per_frame": round(objects, 2), "stages": [timing.to_dict() for timing in timings]})
        if not json:
            _show(reports[-1], opened.manifest.name)
    if json:
        print_json({"bundle": opened.manifest.name, "hardware": hardware(), "method": METHOD, "runs": reports})


def hardware() -> dict[str, Any]:
    """Processor, cores, load and versions, which the times depend on."""
    import os
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in ("numpy", "numba", "openvino", "onnxruntime", "opencv-python"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {"processor": _processor(), "cores": os.cpu_count(), "load": load, "system": platform.platform(),
            "python": platform.python_version(), **versions}


def _processor() -> str:
    """The processor's name as Linux gives it, else the machine type."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _frames(bundle: Bundle, dataset: Path | None, split: str, count: int) -> list[Frame]:
    """Frames of a data set (repeated where it has fewer than `count`), or of the simulated camera."""
    if dataset is not None:
        from posebot.datasets.bop import BopDataset

        data = BopDataset(dataset, split)
        keys = data.keys()
        if not keys:
            raise DatasetError(dataset / split, "has no images", "a BOP split")
        return [data.frame(key) for key in islice(cycle(keys), count)]
    from posebot.video.simulated_camera import SimulatedCamera

    camera = SimulatedCamera({model.obj_id: model for model in bundle.objects}, fps=2.0)
    frames = [camera.frame(index) for index in range(count)]
    camera.close()
    return frames


def _show(report: dict[str, Any], name: str) -> None:
    from rich.table import Table

    console = output()
    machine = hardware()
    console.print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load']}; "
                  f"{report['runtime']}, threads {report['threads'] or 'auto'}")
    console.print(f"bundle {name}, {report['frames']} frames, {report['objects_per_frame']} objects per frame")
    table = Table("stage", *(f"{title} ms" for title in ("median", "p90", "bare")), "ratio")
    for stage in report["stages"]:
        numbers = [stage[key] for key in ("median_ms", "p90_ms", "bare_ms", "ratio")]
        table.add_row(stage["name"], *("" if number is None else f"{number:.2f}" for number in numbers))
    console.print(table)
    console.print(METHOD, style="dim")
