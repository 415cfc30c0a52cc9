"""The training loop that both networks share: plain torch, resumable, the same for one worker and for several.

Ray Train calls it from its workers; nothing here knows of Ray. Progress runs from 0 to 1 by samples seen or by time
spent, whichever the budget names, and drives the learning rate, so that "40 minutes" is a schedule and not a cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
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
    """What a checkpoint holds besides weights."""

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


def fast_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 faster than float32. Such steps take two thirds of the time on a CPU with
    AVX512-BF16, and a third on a GPU; where the instructions are missing they are many times slower.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


class Averaged:
    """Exponential moving average of a network's weights (Polyak); short at the start, so that it is never stale."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        state = net.state_dict()
        torch._foreach_lerp_(list(self.weights.values()), [state[name] for name in self.weights], share)


def fit(
    net: nn.Module, loss: Loss, batches: Iterator[Batch], config: LoopConfig, out: Path, hooks: Hooks | None = None
) -> Progress:
    """Train until the budget is spent; afterwards `net` holds the averaged weights.

    Args:
        net: the bare network. loss: values by name, "loss" is minimised. batches: endless, arrays of equal first axis.
        out: folder of `checkpoint.pt`; if one is there, training goes on from it.
    Returns:
        What was spent. On NaN the step is skipped.
    """
    return _Run(net, loss, config, out, hooks or Hooks()).until_spent(batches)


def resume_salt(out: Path) -> int:
    """A number that differs after a resume, so that a run does not see the same samples again."""
    checkpoint = out / "checkpoint.pt"
    return int(checkpoint.stat().st_mtime_ns % 2**31) if checkpoint.exists() else 0


class _Run:
    """One call of `fit`: the state that its steps share."""

    def __init__(self, net: nn.Module, loss: Loss, config: LoopConfig, out: Path, hooks: Hooks) -> None:
        out.mkdir(parents=True, exist_ok=True)
        net.to(hooks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net, self.loss, self.config, self.hooks = net, loss, config, hooks
        self.mixed = fast_bfloat16(hooks.device)
        self.path = out / "checkpoint.pt"
        trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, config.lr, weight_decay=config.weight_decay, foreach=True)
        self.averaged, self.done, self.means = Averaged(net, config.average), Progress(), _Means()
        if self.path.exists():
            self._restore()
        self.reported = replace(self.done)

    def until_spent(self, batches: Iterator[Batch]) -> Progress:
        wrapped = self.hooks.wrap(self.net)
        wrapped.train()
        start = time.monotonic() - self.done.seconds
        saved = reported = time.monotonic()
        while (progress := self.hooks.mean(self.config.budget.progress(self.done.samples, self.done.seconds))) < 1.0:
            self._step(wrapped, batches, rate(progress, self.config))
            now = time.monotonic()
            self.done.seconds = now - start
            if now - reported > self.config.report_s:
                self._report(progress)
                reported = now
            if now - saved > self.config.checkpoint_s:
                self._save()
                saved = now
        self._report(1.0)
        self._save()
        self.net.load_state_dict(self.averaged.weights)
        return self.done

    def _step(self, wrapped: nn.Module, batches: Iterator[Batch], lr: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        before = time.monotonic()
        batch = {name: torch.as_tensor(array).to(self.hooks.device, non_blocking=True)
                 for name, array in next(batches).items()}
        self.done.waited += time.monotonic() - before
        with torch.autocast(torch.device(self.hooks.device).type, torch.bfloat16, enabled=self.mixed):
            values = self.loss(wrapped, batch)
        self.optimizer.zero_grad(set_to_none=True)
        values["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.config.clip)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.averaged.update(self.net, self.done.steps)
            self.means.add(values)
        self.done.steps += 1
        self.done.samples += self.config.batch * self.hooks.workers

    def _report(self, progress: float) -> None:
        """Speed is that since the last report: a run that slept in between is not slow for ever after."""
        before, now = self.reported, replace(self.done)
        spent = max(now.seconds - before.seconds, 1e-9)
        speed = {
            "samples": float(now.samples),
            "samples_per_s": (now.samples - before.samples) / spent,
            "waited_share": (now.waited - before.waited) / spent,
        }
        self.reported = now
        if self.hooks.first:
            self.hooks.report(progress, self.means.take() | speed)

    def _save(self) -> None:
        if not self.hooks.first:
            return
        temporary = self.path.with_suffix(".part")
        torch.save(
            {
                "net": self.net.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "averaged": self.averaged.weights,
                "progress": vars(self.done),
            },
            temporary,
        )
        temporary.replace(self.path)

    def _restore(self) -> None:
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        device = self.hooks.device
        self.averaged.weights = {name: value.to(device) for name, value in state["averaged"].items()}
        self.done = Progress(**state["progress"])


class _Means:
    """Running means of the logged values since they were last taken."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, values: dict[str, Tensor]) -> None:
        self.count += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, torch.zeros(())) + value.detach()  # no waiting for a GPU here

    def take(self) -> dict[str, float]:
        means = {name: float(value) / max(self.count, 1) for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return means
