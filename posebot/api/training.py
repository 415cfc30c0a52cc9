"""train: from a BOP data set, or from a bundle and new meshes, to a bundle."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebot.core.errors import InputError

if TYPE_CHECKING:
    from posebot.training.config import TrainConfig
    from posebot.training.run import Request

File = str | PathLike[str]
NONE = "none"
"""As `start`: no bundle, the weights of ImageNet."""


def train(dataset: File | None = None, *, out: File, config: File | None = None, minutes: float | None = None,
          crops: int | None = None, pictures: int | None = None, detector: str | None = None,
          start: File | None = None, add: File | None = None, only: str = "", frames: int = 1500,
          backgrounds: File | None = None, distractors: Sequence[File] = (), models: File | None = None,
          workers: int | None = None, address: str | None = None, ray: bool | None = None, tiny: bool = False,
          seed: int | None = None, runs: File = "runs", log: Callable[[str], None] = print) -> dict[str, Any]:
    """Train detector and localizer, calibrate, and write a bundle, as `posebot train` does.

    The same call again continues a run that was interrupted. Needs the extra `posebot[train]`.

    Args:
        dataset: BOP data set with models/ and a train split. out: folder of the bundle; its name is the bundle's.
        config: YAML file of settings. minutes: time for both networks together; crops, pictures: instead of it, samples
            for the localizer and the detector. detector: which trainer makes the detector.
        start: bundle that training begins with; "none": the weights of ImageNet; None: `kit`, if its networks have the
            sizes of the settings. add: with `start`, a models folder of objects to learn as well; only:
            the one object of the bundle that is learned again; frames: images to render for them; backgrounds:
            photographs for these images; distractors: models of objects that are not to be found in them; models: full
            meshes of the bundle's objects.
        workers: processes that train together; None: one for each core, up to four, if training takes more than five
            minutes. address: of a running Ray cluster. ray: train through Ray; None: only
            where an address (also RAY_ADDRESS) or a streamed data set needs it.
        tiny: small networks, about a minute, to see that everything works. seed: the same seed draws the same samples.
        runs: folder for checkpoints, samples and the MLflow store. log: receives each line of progress.
    Returns:
        What was measured, as in the bundle's provenance; and, by the held-out frames, `usable` (the command line exits
        with 3 where it is false), `verdict` (a sentence an object), `problems` and `advice` (what to change). The
        bundle is written in either case.
    Raises:
        InputError: arguments, data set, bundle or run folder do not fit each other. PlatformLostError: no Ray cluster.
    """
    from posebot.training.progress import Narrator

    with Narrator(log) as narrator:  # from here on: loading torch takes seconds
        from posebot.training.config import TINY, TrainConfig, load_config, with_budget
        from posebot.training.run import Request
        from posebot.training.run import train as run

        base = TINY if tiny else TrainConfig()
        settings = with_budget(load_config(Path(config), base) if config else base, minutes, crops, pictures)
        settings = _overridden(settings, detector, workers, seed)
        if add is None and not only:
            if dataset is None:
                raise InputError("--dataset", "is missing", "a BOP data set; or --from BUNDLE --add OBJECTS")
            begun, note = _start(start, settings)
            request = Request(Path(dataset), Path(out), settings, begun, note)
        else:
            if start in (None, NONE) or dataset is not None:
                raise InputError("--add" if add else "--only", "renders its own images, for a bundle that exists",
                                 "--from BUNDLE, and no --dataset")
            chosen = {"detector": bool(config or minutes or pictures or tiny),
                      "localizer": bool(config or minutes or crops or tiny)}
            request = _extended(_reference(start) or "", Path(out), _path(add), only, frames, _path(backgrounds),
                                tuple(Path(folder) for folder in distractors), _path(models), Path(runs), settings,
                                chosen, narrator)
        if ray is None:
            cluster = address is not None or "RAY_ADDRESS" in os.environ
            ray = cluster or settings.source == "stream"
        return run(replace(request, ray=ray, address=address, runs=Path(runs)), narrator)


def _start(start: File | None, settings: TrainConfig) -> tuple[str | Path | None, str]:
    """What training begins with, and what is said of it."""
    from posebot.training.start import default_start

    if start is None:
        return default_start(settings)
    return (None, "") if start == NONE else (_reference(start), "")


def _extended(start: str | Path, out: Path, add: Path | None, only: str, frames: int, backgrounds: Path | None,
              distractors: tuple[Path, ...], models: Path | None, runs: Path, settings: TrainConfig,
              chosen: dict[str, bool], log: Callable[[str], None]) -> Request:
    """The request that learns more objects, or one anew, after their images were rendered."""
    from posebot.training.extend import Extension
    from posebot.training.extend import request as extended

    extension = Extension(start, out, add, only, frames, backgrounds, distractors, models, runs)
    return extended(extension, settings, chosen.__getitem__, log)


def _overridden(config: TrainConfig, detector: str | None, workers: int | None, seed: int | None) -> TrainConfig:
    """The settings, overridden by the arguments."""
    from posebot.training.detectors import known_kind

    if detector is not None:
        config = replace(config, detector=replace(config.detector, kind=known_kind(detector)))
    if workers is not None:
        config = replace(config, workers=workers)
    return config if seed is None else replace(config, seed=seed)


def _reference(start: File | None) -> str | Path | None:
    """A bundle's reference: text stays text, so that `kit` and `./kit` differ."""
    return start if start is None or isinstance(start, str) else Path(start)


def _path(file: File | None) -> Path | None:
    return None if file is None else Path(file)
