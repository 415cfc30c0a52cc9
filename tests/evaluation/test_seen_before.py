"""Figures on images that a bundle has seen before come with a warning."""

from __future__ import annotations

from typing import Any

import pytest

from posebot.evaluation.seen_before import Seen, seen_before, warning

PROVENANCE = {"data": {"name": "part", "split": "train", "scenes": 8, "truth_sha256": "aa"},
              "calibrated": [{"name": "part", "split": "val", "frames": 100, "truth_sha256": "bb"},
                             {"name": "photos", "split": "first"}]}


@pytest.mark.parametrize(("dataset", "split", "sha256", "seen"), [
    ("part", "train", "aa", "trained"), ("part", "val", "bb", "calibrated"),
    ("renamed", "test", "aa", "trained"), ("renamed", "test", "bb", "calibrated"),  # a copy
    ("part", "train", "cc", "perhaps trained"), ("part", "val", "cc", "perhaps calibrated"),  # made anew, or longer
    ("photos", "first", "cc", "perhaps calibrated"), ("part", "test", "cc", None), ("other", "val", "cc", None)])
def test_trained_or_calibrated_on(dataset: str, split: str, sha256: str, seen: Seen | None) -> None:
    assert seen_before(PROVENANCE, dataset, split, sha256) == seen


@pytest.mark.parametrize(("seen", "said"), [
    ("trained", "warning: val trained this bundle: all figures look better than they are; judge it on a split of its "
                "own"),
    ("calibrated", "warning: val fitted the certainty of this bundle: its ok share and its regions look better than "
                   "they are; judge it on a split of its own"),
    ("perhaps calibrated", "warning: val of a data set named part fitted the certainty of this bundle: if that is this "
                           "one, its ok share and its regions look better than they are; judge it on a split of its "
                           "own")])
def test_in_words(seen: Seen, said: str) -> None:
    assert warning(seen, "part", "val") == said


@pytest.mark.parametrize("provenance", [{}, {"data": "part train"}, {"data": None, "calibrated": "part"}])
def test_bundles_that_do_not_say(provenance: dict[str, Any]) -> None:
    assert seen_before(provenance, "part", "train", "aa") is None
