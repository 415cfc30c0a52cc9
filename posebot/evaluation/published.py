"""Published AR of other systems, to stand beside a report's own. In %, BOP challenge, whole test sets.

Taken from the BOP challenge's leaderboards and the systems' papers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One system: AR by data set in %, None where it was not published. seconds: per picture, mostly on a GPU."""

    system: str
    sees: str
    lmo: float | None
    tless: float | None
    ycbv: float | None
    mean: float | None
    seconds: str


SYSTEMS = (
    Published("GPose2023", "RGB-D, synthetic and real training", 79.4, 91.4, 92.8, 85.6, "2.67"),
    Published("GPose2023", "RGB-D, synthetic training", 79.4, 89.0, 90.1, 84.4, "2.69"),
    Published("GDRNPP", "RGB, synthetic training", 71.3, 79.6, 71.3, 70.2, "0.28"),
    Published("CosyPose", "RGB, synthetic training", 63.3, 64.0, 57.4, 57.0, "0.48"),
    Published("YOLOX-6D-s", "RGB", 56.1, None, 70.8, None, "31 GFLOP"),
    Published("FoundationPose", "RGB-D, unseen objects", 75.6, 64.6, 88.9, 73.4, "29"),
    Published("Co-op, one hypothesis", "RGB-D, unseen objects", 73.0, 68.0, 88.6, 75.9, "0.8"),
)


def column_of(dataset: str) -> str | None:
    """Which column a data set's folder name belongs to: "lmo", "tless", "ycbv", or None."""
    name = dataset.lower().replace("-", "").replace("_", "")
    return next((column for column, starts in (("lmo", "lmo"), ("tless", "tless"), ("ycbv", "ycb"))
                 if name.startswith(starts)), None)
