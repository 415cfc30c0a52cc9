"""Charts of reports as SVG, by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from posebot.core.transforms import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREY, INK = "#1f6fb2", "#d1722a", "#9aa2ad", "#2b3440"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "posebot", "font.family": "sans-serif", "font.size": 9.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "text.color": INK, "axes.titlesize": 9.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.grid": True, "grid.color": "#e6e9ed", "grid.linewidth": 0.7,
    "axes.axisbelow": True, "legend.frameon": False, "figure.constrained_layout.use": True,
}
Panel = Callable[["Axes"], None]


def draw(panels: Sequence[Panel], width: float = 3.4, height: float = 2.6) -> str:
    """An SVG element with the panels side by side; each `width` by `height` inches."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width * len(panels), height))
        FigureCanvasSVG(figure)
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
            panel(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg"):]


def recall_curve(title: str, unit: str, errors: Array, until: float, marks: Array) -> Panel:
    """Share of targets with an error below a threshold, for thresholds from 0 to `until`; those of BOP are marked."""
    def panel(axes: Axes) -> None:
        steps = np.linspace(0, until, 201)
        axes.plot(steps, _recall_below(errors, steps), color=BLUE)
        axes.plot(marks, _recall_below(errors, marks), "o", color=BLUE, markersize=3)
        axes.set(title=title, xlabel=unit, ylabel="recall", xlim=(0, until), ylim=(0, 1.02))

    return panel


def bars(title: str, names: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> Panel:
    """Grouped horizontal bars of shares, one group per name, the first on top."""
    def panel(axes: Axes) -> None:
        place, height = np.arange(len(names)), 0.8 / len(series)
        for index, ((label, values), colour) in enumerate(zip(series.items(), (BLUE, ORANGE, GREY))):
            shares = [0.0 if value is None else value for value in values]
            axes.barh(place + index * height - 0.4 + height / 2, shares, height * 0.9, color=colour, label=label)
        axes.set_yticks(place, names)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set(title=title, xlim=(0, 1), xlabel="share of targets")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return panel


def reliability(table: Sequence[Mapping[str, Any]]) -> Panel:
    """Reliability diagram: share of correct poses against p_correct, Wilson intervals, counts."""
    def panel(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        for row in table:
            axes.plot([row["stated"]] * 2, row["interval"], color=BLUE, linewidth=1)
            axes.annotate(str(row["count"]), (row["stated"], row["observed"]), (4, -8), textcoords="offset points",
                          fontsize=7, color=GREY)
        axes.plot([row["stated"] for row in table], [row["observed"] for row in table], "o", color=BLUE, markersize=4)
        axes.set(title="Reliability of p_correct", xlabel="predicted p_correct", ylabel="share of correct poses",
                 xlim=(0, 1), ylim=(0, 1.02))

    return panel


def risk_coverage(curve: Sequence[Sequence[float]]) -> Panel:
    """Risk-coverage curve: share of wrong poses among the most certain, against the share kept."""
    def panel(axes: Axes) -> None:
        kept, risk = np.array(curve).T
        axes.plot(kept, risk, color=BLUE)
        axes.axhline(risk[-1], color=GREY, linewidth=1, linestyle="--")
        axes.set(title="Risk and coverage", xlabel="share of poses kept, most certain first",
                 ylabel="share of wrong poses", xlim=(0, 1), ylim=(0, max(0.05, 1.05 * float(risk.max()))))

    return panel


def scatter(title: str, unit: str, x: Array, errors: Array, limit: float = 0.1) -> Panel:
    """Error (MSSD / diameter, log) of every target with an estimate, medians over x, the 10 % line."""
    def panel(axes: Axes) -> None:
        found = np.isfinite(errors)
        axes.plot(x[found], np.maximum(errors[found], 1e-3), ".", color=BLUE, alpha=0.35, markersize=4, rasterized=True,
                  markeredgewidth=0)
        middles, medians = _medians(x[found], errors[found])
        axes.plot(middles, np.maximum(medians, 1e-3), "o-", color=ORANGE, markersize=4, label="median")
        axes.axhline(limit, color=GREY, linewidth=1, linestyle="--")
        axes.set(title=title, xlabel=unit, ylabel="MSSD / diameter", yscale="log")
        if len(middles):
            axes.legend(loc="best")

    return panel


def _recall_below(errors: Array, thresholds: Array) -> Array:
    return np.searchsorted(np.sort(errors), thresholds, side="left") / max(len(errors), 1)


def _medians(x: Array, y: Array, parts: int = 6, min_count: int = 5) -> tuple[Array, Array]:
    """Median of x and of y in `parts` equal-width bins of x, where at least `min_count` points lie."""
    if not len(x):
        return x, y
    place = np.minimum(((x - x.min()) / max(float(np.ptp(x)), 1e-9) * parts).astype(int), parts - 1)
    groups = [place == part for part in range(parts) if (place == part).sum() >= min_count]
    return np.array([np.median(x[part]) for part in groups]), np.array([np.median(y[part]) for part in groups])
