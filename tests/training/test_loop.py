"""The loop: it learns, keeps averaged weights, and goes on after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from posebot.training.loop import Averaged, Batch, Budget, Hooks, LoopConfig, fit, rate


def line(seed: int = 0) -> Iterator[Batch]:
    rng = np.random.default_rng(seed)
    while True:
        x = rng.normal(size=(32, 2, 1, 1)).astype(np.float32)
        yield {"x": x, "y": x[:, :1, 0, 0] * 2 - x[:, 1:, 0, 0] + 0.5}


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 1, 1), nn.Flatten())


def squared(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"loss": (model(batch["x"]) - batch["y"]).square().mean()}


def config(samples: int, **changes: object) -> LoopConfig:
    return LoopConfig(Budget(samples=samples), lr=0.05, weight_decay=0.0, average=0.9, **changes)  # type: ignore[arg-type]


def test_fit_learns_and_counts(tmp_path: Path) -> None:
    model, told = net(), []
    hooks = Hooks(report=lambda progress, metrics: told.append((progress, metrics)))
    done = fit(model, squared, line(), config(32 * 150), tmp_path, hooks)
    assert done.samples == 32 * 150 and done.steps == 150
    assert model[0].weight.flatten().tolist() == pytest.approx([2.0, -1.0], abs=0.02)
    assert told[-1][0] == 1.0 and told[-1][1]["samples"] == 32 * 150 and 0 <= told[-1][1]["waited_share"] <= 1


def test_a_run_that_dies_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    def dying() -> Iterator[Batch]:
        for step, batch in enumerate(line()):
            if step == 60:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        fit(net(), squared, dying(), config(32 * 160, checkpoint_s=0.0), tmp_path)
    model = net()
    done = fit(model, squared, line(1), config(32 * 160), tmp_path)
    assert done.steps == 160, "60 before, 100 after"
    assert model[0].weight.flatten().tolist() == pytest.approx([2.0, -1.0], abs=0.05)


def test_a_step_that_is_not_finite_is_skipped(tmp_path: Path) -> None:
    def broken() -> Iterator[Batch]:
        for step, batch in enumerate(line()):
            if step == 5:
                batch["y"] = batch["y"] * np.float32(np.nan)
            yield batch

    model = net()
    fit(model, squared, broken(), config(32 * 20), tmp_path)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_budget_and_rate() -> None:
    assert Budget(samples=100).progress(50, 1e9) == 0.5 and Budget(minutes=2).progress(10**9, 60) == 0.5
    settings = config(10)
    rates = [rate(p, settings) for p in np.linspace(0, 1, 200)]
    assert max(rates) == pytest.approx(settings.lr, rel=0.01) and rates[-1] == pytest.approx(0.01 * settings.lr)
    assert rates[0] < 0.1 * settings.lr


def test_averaged_follows_the_weights() -> None:
    model = net()
    averaged = Averaged(model, 0.99)
    with torch.no_grad():
        model[0].weight.fill_(3.0)
    for step in range(2000):
        averaged.update(model, step)
    assert torch.allclose(averaged.weights["0.weight"], torch.tensor(3.0), atol=1e-3)
