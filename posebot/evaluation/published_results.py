"""AR of other systems for comparison in reports, in %: BOP challenge, whole test sets.

From the leaderboards of the BOP challenge and the papers of the systems.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedResult:
    """A system: AR by data set in %, None where not published. seconds: per image, mostly on a GPU."""

    system: str
    inputs: str
    lmo: float | None
    tless: float | None
    ycbv: float | None
    mean: float | None
    seconds: str


PUBLISHED_RESULTS = (
    PublishedResult("GPose2023", "RGB-D, synthetic and real training", 79.4, 91.4, 92.8, 85.6, "2.67"),
    PublishedResult("GPose2023", "RGB-D, synthetic training", 79.4, 89.0, 90.1, 84.4, "2.69"),
    PublishedResult("GDRNPP", "RGB, synthetic training", 71.3, 79.6, 71.3, 70.2, "0.28"),
    PublishedResult("CosyPose", "RGB, synthetic training", 63.3, 64.0, 57.4, 57.0, "0.48"),
    PublishedResult("YOLOX-6D-s", "RGB", 56.1, None, 70.8, None, "31 GFLOP"),
    PublishedResult("FoundationPose", "RGB-D, unseen objects", 75.6, 64.6, 88.9, 73.4, "29"),
    PublishedResult("Co-op, one hypothesis", "RGB-D, unseen objects", 73.0, 68.0, 88.6, 75.9, "0.8"),
)


def dataset_column(dataset: str) -> str | None:
    """The column of a data set by its folder name: "lmo", "tless", "ycbv", or None."""
    name = dataset.lower().replace("-", "").replace("_", "")
    return next((column for column, starts in (("lmo", "lmo"), ("tless", "tless"), ("ycbv", "ycb"))
                 if name.startswith(starts)), None)
