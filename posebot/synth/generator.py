"""Dataset generation in several processes, one scene folder at a time; the same call resumes an interrupted run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posebot import __version__
from posebot.core.errors import OutputError, RunStateError
from posebot.core.files import write_atomic
from posebot.synth.config import SynthConfig, require_same
from posebot.synth.worker_pool import WorkerPool

DATASET_FILE = "dataset.json"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SynthResult:
    """Result of a run.

    Attributes:
        frames: rendered in this run. skipped: already present. seconds: wall clock, including start-up.
    """

    out: Path
    split: str
    frames: int
    skipped: int
    seconds: float

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.frames / max(self.seconds, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dictionary."""
        return {"out": str(self.out), "split": self.split, "frames": self.frames, "skipped": self.skipped,
                "seconds": round(self.seconds, 2), "frames_per_second": round(self.rate, 2)}


def generate(config: SynthConfig, progress: Progress = lambda done, total: None) -> SynthResult:
    """Render the frames of `config` that are missing.

    Args:
        progress: called repeatedly with (done, total), including frames that were already present.

    Scene folders are written atomically, one by one; `dataset.json` records settings and seed before the first.

    Raises:
        InputError: a setting, the models or the output folder is not usable.
        RunStateError: the split was started with other settings.
    """
    start = time.monotonic()
    _prepare(config)
    scenes = [scene for scene in range(config.scenes) if not _complete(config, scene)]
    pending = sum(len(config.frames_of(scene)) for scene in scenes)
    skipped = config.frames - pending
    progress(skipped, config.frames)
    if scenes and config.workers == 0:
        _generate_in_process(config, scenes, lambda done: progress(done, config.frames), skipped)
    elif scenes:
        WorkerPool(config, scenes).run(lambda done: progress(skipped + done, config.frames))
    return SynthResult(config.out, config.split, pending, skipped, time.monotonic() - start)


def _prepare(config: SynthConfig) -> None:
    """Copy the models and record the settings, or check them against the record."""
    from posebot.objects.bop_models import load_objects

    load_objects(config.objects)
    try:
        config.out.mkdir(parents=True, exist_ok=True)
        with (config.out / ".lock").open("w") as lock:  # another split may be started concurrently
            fcntl.flock(lock, fcntl.LOCK_EX)
            _update_record(config)
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise OutputError(config.out, problem, "a writable folder with free space") from None


def _update_record(config: SynthConfig) -> None:
    record_file = config.out / DATASET_FILE
    record = _read_record(record_file)
    if config.split in record["splits"]:
        require_same(record_file, record["splits"][config.split], config)
    models = config.out / "models"
    if not models.exists():
        shutil.copytree(config.objects, config.out / ".models", dirs_exist_ok=True)
        os.replace(config.out / ".models", models)
    (config.out / config.split).mkdir(exist_ok=True)
    record["splits"][config.split] = config.to_dict()
    write_atomic(record_file, json.dumps(record, indent=1) + "\n")


def _read_record(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {"made_by": "posebot synth", "version": __version__, "splits": {}}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record["splits"], dict):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise RunStateError(path, "is not a valid record", "remove it, or use another --out") from None
    return dict(record)


def _complete(config: SynthConfig, scene: int) -> bool:
    """Whether the scene folder has all its frames (the last one may have fewer after a smaller run)."""
    path = config.out / config.split / f"{scene:06d}" / "scene_camera.json"
    if not path.is_file():
        return False
    try:
        return len(json.loads(path.read_text(encoding="utf-8"))) >= len(config.frames_of(scene))
    except ValueError:
        return False


def _generate_in_process(config: SynthConfig, scenes: list[int], progress: Callable[[int], None], done: int) -> None:
    from posebot.synth.frame_renderer import FrameRenderer

    studio, count = FrameRenderer(config), done

    def report_frame() -> None:
        nonlocal count
        count += 1
        progress(count)

    for scene in scenes:
        studio.write_scene(scene, report_frame)
