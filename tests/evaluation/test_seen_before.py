"""Figures on images that a bundle has seen before come with a warning."""

from __future__ import annotations

from typing import Any

import pytest

from posebot.evaluation.seen_before import Seen, seen_before, warning

PROVENANCE = {"data": {"name": "part", "split": "train", "scenes": 8},
              "calibrated": [{"name": "part", "split": "val", "frames": 100}, {"name": "photos", "split": "first"}]}


@pytest.mark.parametrize(("dataset", "split", "seen"), [
    ("part", "train", "trained"), ("part", "val", "calibrated"), ("photos", "first", "calibrated"),
    ("part", "test", None), ("other", "val", None)])
def test_trained_or_calibrated_on(dataset: str, split: str, seen: Seen | None) -> None:
    assert seen_before(PROVENANCE, dataset, split) == seen


@pytest.mark.parametrize(("seen", "split", "said"), [
    ("trained", "train", "warning: train trained this bundle: all figures look better than they are; judge it on a "
                         "split of its own"),
    ("calibrated", "val", "warning: val fitted the certainty of this bundle: its ok share and its regions look better "
                          "than they are; judge it on a split of its own")])
def test_in_words(seen: Seen, split: str, said: str) -> None:
    assert warning(seen, split) == said


@pytest.mark.parametrize("provenance", [{}, {"data": "part train"}, {"data": None, "calibrated": "part"}])
def test_bundles_that_do_not_say(provenance: dict[str, Any]) -> None:
    assert seen_before(provenance, "part", "train") is None
