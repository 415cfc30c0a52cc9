"""`posebot tune`: Ray Tune over the settings of one network, compared by its loss on held-out images.

Trials draw settings at random around the configuration, which is itself the first trial; the worse ones are stopped
early (successive halving: Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020). All
share one cache of samples. The same command again continues an interrupted search.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from posebot.core.errors import DatasetError, PosebotError
from posebot.core.files import write_atomic
from posebot.datasets import ray_data
from posebot.datasets.bop import BopDataset
from posebot.datasets.sample_cache import SampleCache
from posebot.datasets.sample_source import SampleSource
from posebot.models.reference import resolve
from posebot.training import networks
from posebot.training.config import TrainConfig
from posebot.training.job import Job, Name
from posebot.training.loop import Hooks, fit
from posebot.training.progress import Say
from posebot.training.run import split_scenes
from posebot.training.state import RunState, locked

EVALUATIONS = 12
"""How often the loss of a trial is evaluated."""
_GRACE = 3  # evaluations before a trial may be stopped
_HELD = 512  # samples that the loss is taken over
_BATCH = 16
SPACES: dict[Name, dict[str, tuple[Any, ...]]] = {
    "detector": {"lr": ("loguniform", 1e-4, 2e-3), "batch": ("choice", [4, 8, 16]),
                 "frozen_stages": ("choice", [1, 2, 3])},
    "localizer": {"lr": ("loguniform", 1e-4, 2e-3), "batch": ("choice", [16, 32, 64]),
                  "frozen_stages": ("choice", [1, 2, 3]), "box_jitter": ("uniform", 0.1, 0.4),
                  "replace_background": ("uniform", 0.0, 0.5), "cover": ("uniform", 0.0, 0.5)},
}
"""What is tried: the name of a function of `ray.tune`, and its arguments."""


@dataclass(frozen=True)
class Study:
    """One search.

    Attributes:
        dataset: BOP data set. network: whose settings. config: the first trial, and what all others keep. trials: how
        many. minutes: of each. start: bundle that all trials start from. address: of a Ray cluster. runs: folder.
    """

    dataset: Path
    network: Name
    config: TrainConfig
    trials: int
    minutes: float
    start: str | Path | None = None
    address: str | None = None
    runs: Path = Path("runs")

    @property
    def folder(self) -> Path:
        return (self.runs / "tune" / f"{self.dataset.resolve().name}-{self.network}").resolve()

    def first(self) -> dict[str, Any]:
        """The settings of the configuration itself."""
        own = asdict(getattr(self.config, self.network))
        return {name: own[name] for name in SPACES[self.network]}

    def tried(self, values: Mapping[str, Any]) -> TrainConfig:
        """The configuration with these settings and a trial's budget."""
        own = replace(getattr(self.config, self.network), **values)
        budget = {"pictures": None} if self.network == "detector" else {"crops": None}
        return replace(self.config, **{self.network: replace(own, minutes=self.minutes, **budget)})

    @cached_property
    def data(self) -> tuple[SampleSource, SampleSource]:
        """Images to learn from, and held-out ones."""
        data = BopDataset(self.dataset.resolve(), self.config.split)
        learned, held, held_scenes = split_scenes(data, self.config, lambda text: None)
        labels = tuple((model.obj_id, index) for index, model in enumerate(data.objects.values()))
        size = self.config.detector.input_size
        return (SampleSource(str(data.root), data.split, str(data.models_dir), labels, tuple(learned), size),
                SampleSource(str(held.root), held.split, str(held.models_dir), labels, tuple(held_scenes), size))

    def job(self, values: Mapping[str, Any], out: Path, held: bool = False) -> Job:
        """Training with these settings, or evaluating on held-out images."""
        cache = self.folder / ("held" if held else "samples")
        start = None if self.start is None else resolve(self.start).resolve()
        return Job(self.network, self.tried(values), self.data[held], cache, out, start)


def tune(study: Study, say: Say = print) -> dict[str, Any]:
    """Search, and write the best settings to `best.yaml` in the study's folder.

    Returns `best` (settings), `loss`, `first_loss` (of the configuration itself), `trials` (all, best first) and
    `config`, the file's path.

    Raises:
        InputError: the data set does not fit, or the folder holds another study. PosebotError: every trial failed.
    """
    from posebot.training import ray_train

    study = replace(study, dataset=study.dataset.resolve(), runs=study.runs.resolve())  # workers are elsewhere
    with locked(study.folder), ray_train.cluster(study.address, 1, say):
        RunState(study.folder, {"dataset": str(study.dataset), "config": asdict(study.config),
                                "trials": study.trials, "minutes": study.minutes, "from": str(study.start)})
        for held in (False, True):
            job = study.job(study.first(), study.folder, held)
            for scene in ray_data.fill_caches(job.source, {job.kind: job.cache}):
                say(f"{'samples':<10} scene {scene}{' (held out)' if held else ''}")
            if not len(SampleCache(job.cache)):
                raise DatasetError(study.dataset, "no object can be seen well enough to learn from",
                                   "frames with depth, masks and objects of 150 pixels and more")
        return _summary(study, _searched(study, say), say)


def _searched(study: Study, say: Say) -> Any:
    """Ray Tune's grid of results."""
    import ray
    from ray import tune as search
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator

    space = {name: getattr(search, kind)(*arguments) for name, (kind, *arguments) in SPACES[study.network].items()}
    gpu = 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0
    trainable = search.with_resources(search.with_parameters(_trial, study=study), {"cpu": 1, "gpu": gpu})
    folder = study.folder / "ray"
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # Tune's own tables; ours are the callback's
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    if search.Tuner.can_restore(str(folder)):
        say(f"{'tune':<10} continues from {folder}")
        return search.Tuner.restore(str(folder), trainable, resume_unfinished=True, restart_errored=True,
                                    param_space=space).fit()
    halving = ASHAScheduler(grace_period=_GRACE, max_t=EVALUATIONS + 1, reduction_factor=3)
    draw = BasicVariantGenerator(points_to_evaluate=[study.first()], random_state=study.config.seed)
    say(f"{'tune':<10} {study.trials} trials of {study.minutes:g} minutes, as many at once as there are cores")
    return search.Tuner(
        trainable, param_space=space,
        tune_config=search.TuneConfig("min", "loss", draw, halving, study.trials,
                                      trial_dirname_creator=lambda trial: str(trial.trial_id)),
        run_config=search.RunConfig(name="ray", storage_path=str(study.folder), verbose=0,
                                    callbacks=[_saying(study.trials, say)])).fit()


def _saying(trials: int, say: Say) -> Any:
    from ray.tune.callback import Callback

    class Reporter(Callback):
        """A line for each trial that ends."""

        done = 0

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            self.done += 1
            say(f"{'tune':<10} {self.done} of {count}: loss {trial.last_result['loss']:.4f}  {shown(trial.config)}")

    count = trials
    return Reporter()


def _trial(values: dict[str, Any], study: Study) -> None:
    """What a worker does: train with these settings, and report the held-out loss."""
    from ray import tune as search

    torch.set_num_threads(1)
    out = study.folder / "trials" / str(search.get_context().get_trial_id())
    job = study.job(values, out)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(job.config.seed)
    net, config = networks.new_network(job), networks.loop_config(job)
    evaluate = held_loss(study, device)
    hooks = Hooks(report=lambda progress, metrics: search.report({"loss": evaluate(net), "progress": progress}),
                  device=device)
    config = replace(config, report_s=60 * study.minutes / EVALUATIONS)
    batches = networks.cached(job, config.batch, np.random.default_rng(job.config.seed))
    fit(net, networks.loss_of(job), batches, config, out, hooks)
    search.report({"loss": evaluate(net), "progress": 1.0})  # of the averaged weights


def held_loss(study: Study, device: str = "cpu") -> Callable[[torch.nn.Module], float]:
    """A function from a network to its mean loss over the same held-out samples, augmented as the configuration says:
    a trial cannot make its own evaluation easier.
    """
    job = study.job(study.first(), study.folder, held=True)
    loss, source = networks.loss_of(job), networks.cached(job, _BATCH, np.random.default_rng(0))
    batches = [{name: torch.as_tensor(array) for name, array in next(source).items()} for _ in range(_HELD // _BATCH)]

    @torch.no_grad()
    def mean(net: torch.nn.Module) -> float:
        return float(np.mean([float(loss(net, {name: value.to(device) for name, value in batch.items()})["loss"])
                              for batch in batches]))

    return mean


def _summary(study: Study, grid: Any, say: Say) -> dict[str, Any]:
    """Write `best.yaml` and report the result."""
    done = sorted((result for result in grid if result.error is None and "loss" in (result.metrics or {})),
                  key=lambda result: float(result.metrics["loss"]))
    if not done:
        reason = next((str(error).strip().splitlines()[-1] for error in grid.errors), "no result")
        raise PosebotError(f"every trial failed: {reason[:500]}")
    trials: list[dict[str, Any]] = [
        {"loss": round(float(result.metrics["loss"]), 5), "progress": round(float(result.metrics["progress"]), 3),
         "settings": dict(result.config)} for result in done]
    path = study.folder / "best.yaml"
    title = (f"# by posebot tune on {study.dataset.resolve().name}: {study.network}, {study.trials} trials of "
             f"{study.minutes:g} minutes\n")
    write_atomic(path, title + yaml.safe_dump({study.network: trials[0]["settings"]}))
    first = study.first()
    own = [trial["loss"] for trial in trials if _same(trial["settings"], first)]
    say(f"{'best':<10} loss {trials[0]['loss']:.4f}  {shown(trials[0]['settings'])}")
    say(f"{'configured':<10} loss {own[0]:.4f}" if own else f"{'configured':<10} failed")
    say(f"posebot train --config {path}")
    return {"best": trials[0]["settings"], "loss": trials[0]["loss"], "first_loss": own[0] if own else None,
            "trials": trials, "config": str(path)}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    with suppress(KeyError):
        return all(one[name] == value for name, value in other.items())
    return False


def shown(settings: Mapping[str, Any]) -> str:
    """Settings in a line."""
    return "  ".join(f"{name} {value:.3g}" for name, value in sorted(settings.items()))
