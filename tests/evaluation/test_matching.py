"""Greedy matching, against a plain version of itself and by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from posebot.evaluation.matching import by_score, match


def plain(errors: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """One threshold, one estimate after another."""
    matched, taken = [-1] * len(scores), set()
    for estimate in sorted(range(len(scores)), key=lambda i: -scores[i]):
        best, best_error = -1, threshold
        for truth, error in enumerate(errors[estimate]):
            if truth not in taken and error < best_error:
                best, best_error = truth, error
        if best >= 0:
            matched[estimate] = best
            taken.add(best)
    return matched


@given(seed=st.integers(0, 10**6), estimates=st.integers(0, 5), truths=st.integers(0, 4))
def test_agrees_with_the_plain_version(seed: int, estimates: int, truths: int) -> None:
    rng = np.random.default_rng(seed)
    errors = rng.integers(0, 6, (estimates, truths)) / 5.0  # many ties
    errors[rng.random(errors.shape) < 0.2] = np.inf
    scores = rng.integers(0, 4, estimates) / 3.0
    thresholds = np.array([0.2, 0.4, 1.0, np.inf])
    found = match(errors, scores, thresholds)
    assert found.shape == (4, estimates)
    assert [row.tolist() for row in found] == [plain(errors, scores, t) for t in thresholds]


def test_an_error_equal_to_the_threshold_is_no_match() -> None:
    assert match(np.array([[0.1]]), np.array([1.0]), np.array([0.1, np.nextafter(0.1, 1)])).tolist() == [[-1], [0]]


def test_the_better_score_chooses_first_even_where_it_fits_worse() -> None:
    errors = np.array([[0.3, 0.4], [0.1, 0.9]])  # both want truth 0
    assert match(errors, np.array([0.9, 0.5]), np.array([0.5])).tolist() == [[0, -1]]
    assert match(errors, np.array([0.5, 0.9]), np.array([0.5])).tolist() == [[1, 0]]


def test_errors_may_depend_on_the_threshold() -> None:
    errors = np.array([[[0.3]], [[0.1]]])
    assert match(errors, np.array([1.0]), np.array([0.2, 0.2])).tolist() == [[-1], [0]]


def test_equal_scores_keep_their_order() -> None:
    assert by_score(np.array([0.5, 0.9, 0.5, 0.9])).tolist() == [1, 3, 0, 2]
