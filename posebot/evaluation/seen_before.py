"""Whether a bundle has seen the images of a split before: its networks learned from them, or its certainty was fitted.

`provenance` of bundle.yaml records both, as `data` and `calibrated`: the data set's folder name, the split, and since
posebot 0.3 the checksum of their ground truth (`BopDataset.truth_sha256`). Only the checksum is sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Seen = Literal["trained", "calibrated", "perhaps trained", "perhaps calibrated"]


def seen_before(provenance: Mapping[str, Any], dataset: str, split: str, truth_sha256: str) -> Seen | None:
    """What the images did for a bundle; None where it is not known to have seen them. "perhaps": by their name alone.

    Args:
        provenance: of the bundle. dataset: folder name of the data set. split, truth_sha256: of it.
    """
    calibrated = provenance.get("calibrated")
    trained_on, fitted_on = [provenance.get("data")], calibrated if isinstance(calibrated, list) else []
    if any(_has(images, truth_sha256=truth_sha256) for images in trained_on):
        return "trained"
    if any(_has(images, truth_sha256=truth_sha256) for images in fitted_on):
        return "calibrated"
    if any(_has(images, name=dataset, split=split) for images in trained_on):
        return "perhaps trained"
    return "perhaps calibrated" if any(_has(images, name=dataset, split=split) for images in fitted_on) else None


def warning(seen: Seen, dataset: str, split: str) -> str:
    """One line: which figures are better than on new images."""
    trained = seen.endswith("trained")
    what = "trained this bundle" if trained else "fitted the certainty of this bundle"
    better = "all figures look" if trained else "its ok share and its regions look"
    if seen.startswith("perhaps"):
        return (f"warning: {split} of a data set named {dataset} {what}: if that is this one, {better} better than "
                "they are; judge it on a split of its own")
    return f"warning: {split} {what}: {better} better than they are; judge it on a split of its own"


def _has(images: Any, **wanted: str) -> bool:
    """Whether an entry of the provenance, which is free text and may be missing, has these values."""
    return isinstance(images, Mapping) and all(images.get(key) == value for key, value in wanted.items())
