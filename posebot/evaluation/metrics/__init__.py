"""Pose metrics: one file each. A new metric is one file in this folder (or anywhere importable) and one entry below.

Each file holds a subclass of `Metric` (`posebot/evaluation/metrics/metric.py`), which computes pose errors and says
from which thresholds a recall is computed. All registered metrics are in report.json, report.html and on the terminal.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from posebot.evaluation.metrics.metric import EvalModel, Metric, PosePairs

__all__ = ["METRICS", "EvalModel", "Metric", "PosePairs", "load_metrics"]

METRICS: dict[str, str] = {
    "VSD": "posebot.evaluation.metrics.vsd:Vsd",
    "MSSD": "posebot.evaluation.metrics.mssd:Mssd",
    "MSPD": "posebot.evaluation.metrics.mspd:Mspd",
    "ADD": "posebot.evaluation.metrics.add:Add",
}
"""Name in reports to `module:class`, imported when an evaluation starts. The order is that of the reports."""


def load_metrics() -> tuple[Metric, ...]:
    """One instance of each registered metric, in the order of `METRICS`."""
    return tuple(_load(name, target) for name, target in METRICS.items())


@lru_cache(maxsize=64)
def _load(name: str, target: str) -> Metric:
    module, _, attribute = target.partition(":")
    metric: Metric = getattr(import_module(module), attribute)()
    assert metric.name == name, f"{target} is named {metric.name}, registered as {name}"
    return metric
