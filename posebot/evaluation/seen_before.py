"""Whether a bundle has seen the images of a split before: its networks learned from them, or its certainty was fitted.

`provenance` of bundle.yaml records both by the data set's folder name and the split: `data` and `calibrated`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Seen = Literal["trained", "calibrated"]


def seen_before(provenance: Mapping[str, Any], dataset: str, split: str) -> Seen | None:
    """What the images did for a bundle; None where it is not known to have seen them.

    Args:
        provenance: of the bundle. dataset: folder name of the data set. split: of it.
    """
    wanted = {"name": dataset, "split": split}
    calibrated = provenance.get("calibrated")
    if _names(provenance.get("data"), wanted):
        return "trained"
    found = any(_names(images, wanted) for images in (calibrated if isinstance(calibrated, list) else ()))
    return "calibrated" if found else None


def warning(seen: Seen, split: str) -> str:
    """One line: which figures are better than on new images."""
    what = {"trained": "trained this bundle: all figures look better than they are",
            "calibrated": "fitted the certainty of this bundle: its ok share and its regions look better than they are"}
    return f"warning: {split} {what[seen]}; judge it on a split of its own"


def _names(images: Any, wanted: Mapping[str, str]) -> bool:
    """Whether an entry of the provenance, which is free text and may be missing, names these images."""
    return isinstance(images, Mapping) and all(images.get(key) == value for key, value in wanted.items())
