"""The training loop that both networks share: plain torch, resumable, the same for one worker and for several.

Ray Train calls it from its workers; nothing here knows of Ray. Progress runs from 0 to 1 by samples seen or by time spent,
whichever the budget names, and drives the learning rate, so that "40 minutes" is a schedule and not a cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Batch = dict[str, NDArray[Any]]
Loss = Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]  # the value "loss" is minimised, all are logged


@dataclass(frozen=True)
class Budget:
    """How long to train: samples over all workers, or minutes; the first that is reached ends it."""

    samples: int | None = None
    minutes: float | None = None

    def progress(self, samples: int, seconds: float) -> float:
        """0 at the start, 1 at the end."""
        parts = [samples / self.samples if self.samples else 0.0, seconds / 60 / self.minutes if self.minutes else 0.0]
        return min(1.0, max(parts))


@dataclass(frozen=True)
class LoopConfig:
    """Attributes:
    lr: peak learning rate (AdamW). warmup: share of the run in which it rises. average: decay of the weights' moving
    average, which is what is kept. checkpoint_s: seconds between checkpoints.
    """

    budget: Budget
    batch: int = 32
    lr: float = 5e-4
    warmup: float = 0.03
    weight_decay: float = 1e-2
    clip: float = 5.0
    average: float = 0.998
    checkpoint_s: float = 120.0
    report_s: float = 20.0


@dataclass
class Progress:
    """What a checkpoint knows besides weights."""

    samples: int = 0
    steps: int = 0
    seconds: float = 0.0
    waited: float = 0.0  # of these seconds, waiting for data


@dataclass
class Hooks:
    """What surrounds a worker: `report(progress, metrics)` for rank 0, `mean` over workers, `wrap` for DDP."""

    report: Callable[[float, dict[str, float]], None] = lambda progress, metrics: None
    mean: Callable[[float], float] = lambda value: value
    wrap: Callable[[nn.Module], nn.Module] = lambda net: net
    first: bool = True
    workers: int = 1
    device: str = "cpu"
    images: Callable[[str, NDArray[np.uint8]], None] = field(default=lambda name, picture: None)


def rate(progress: float, config: LoopConfig) -> float:
    """Learning rate: linear rise, then a cosine to 1 % of the peak."""
    if progress < config.warmup:
        return config.lr * (0.05 + 0.95 * progress / config.warmup)
    turned = (progress - config.warmup) / (1 - config.warmup)
    return config.lr * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * turned))))


class Averaged:
    """Exponential moving average of a network's weights (Polyak); short at the start, so that it is never stale."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, value in net.state_dict().items():
            self.weights[name].lerp_(value, share)


def fit(net: nn.Module, loss: Loss, batches: Iterator[Batch], config: LoopConfig, out: Path, hooks: Hooks | None = None
        ) -> Progress:
    """Train until the budget is spent; afterwards `net` holds the averaged weights.

    Args:
        net: the bare network. loss: values by name, "loss" is minimised. batches: endless, arrays of equal first axis.
        out: folder of `checkpoint.pt`; if one is there, training goes on from it.
    Returns:
        What was spent. On NaN the step is skipped.
    """
    hooks = hooks or Hooks()
    out.mkdir(parents=True, exist_ok=True)
    net.to(hooks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], config.lr,
                                  weight_decay=config.weight_decay, foreach=True)
    averaged, done = Averaged(net, config.average), Progress()
    path = out / "checkpoint.pt"
    if path.exists():
        done = _restore(path, net, optimizer, averaged)
    wrapped = hooks.wrap(net)
    wrapped.train()
    start, saved, told, sums = time.monotonic() - done.seconds, time.monotonic(), time.monotonic(), _Means()
    while True:
        progress = hooks.mean(config.budget.progress(done.samples, done.seconds))
        if progress >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate(progress, config)
        before = time.monotonic()
        batch = {name: torch.from_numpy(array).to(hooks.device) for name, array in next(batches).items()}
        done.waited += time.monotonic() - before
        values = loss(wrapped, batch)
        optimizer.zero_grad(set_to_none=True)
        values["loss"].backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        if torch.isfinite(norm):
            optimizer.step()
            averaged.update(net, done.steps)
            sums.add(values)
        done.steps += 1
        done.samples += config.batch * hooks.workers
        done.seconds = time.monotonic() - start
        if hooks.first and time.monotonic() - told > config.report_s:
            hooks.report(progress, sums.take() | _speed(done))
            told = time.monotonic()
        if hooks.first and time.monotonic() - saved > config.checkpoint_s:
            _save(path, net, optimizer, averaged, done)
            saved = time.monotonic()
    if hooks.first:
        hooks.report(1.0, sums.take() | _speed(done))
        _save(path, net, optimizer, averaged, done)
    net.load_state_dict(averaged.weights)
    return done


class _Means:
    """Running means of the logged values since they were last taken."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0

    def add(self, values: dict[str, Tensor]) -> None:
        self.count += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())

    def take(self) -> dict[str, float]:
        means = {name: value / max(self.count, 1) for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return means


def _speed(done: Progress) -> dict[str, float]:
    return {"samples": done.samples, "samples_per_s": done.samples / max(done.seconds, 1e-9),
            "waited_share": done.waited / max(done.seconds, 1e-9)}


def _save(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer, averaged: Averaged, done: Progress) -> None:
    temporary = path.with_suffix(".part")
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "averaged": averaged.weights,
                "progress": vars(done)}, temporary)
    temporary.replace(path)


def _restore(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer, averaged: Averaged) -> Progress:
    state = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    averaged.weights = {name: value.to(next(net.parameters()).device) for name, value in state["averaged"].items()}
    return Progress(**state["progress"])
