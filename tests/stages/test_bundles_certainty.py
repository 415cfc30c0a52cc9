"""What holds for the certainty of every packaged bundle, whatever a frame gives: checked on thousands of solutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.models.bundle import Bundle
from posebot.models.reference import resolve
from posebot.stages.certainty import OK_RADIUS, OK_ROTATION_DEG, assess


def varied(solution, diameter: float, rng: np.random.Generator, *, with_depth: bool):
    """A solution with random evidence: from nothing fits to all fits, from sigmas of 0.1 % to those of the diameter."""
    factor = np.exp(rng.uniform(np.log(1e-9), 0.0))
    units = np.diag([diameter] * 3 + [1.0] * 3)
    mixing = np.eye(6) + 0.3 * rng.normal(size=(6, 6))
    fit = rng.beta(2, 0.5)
    detection = replace(solution.localization.detection, score=float(rng.uniform(0.05, 1)))
    scores = {name: float(np.clip(fit + rng.normal(0, 0.1), 0, 1)) for name in solution.scores}
    return replace(
        solution, covariance=factor * units @ mixing @ mixing.T @ units, with_depth=with_depth,
        margin=rng.uniform(0, 1), scores=scores, alternatives=(),
        visibility=rng.uniform(0.2, 1), sigma=float(np.exp(rng.uniform(np.log(0.005), 0))),
        localization=replace(solution.localization, detection=detection))


@pytest.mark.parametrize("name", ["kit", "lmo", "ycb"])
@pytest.mark.parametrize("with_depth", [True, False])
def test_no_ok_pose_may_be_a_fifth_of_the_diameter_off(name: str, with_depth: bool, solution) -> None:
    bundle, rng, ok = Bundle.open(resolve(name)), np.random.default_rng(0), 0
    for _ in range(400):
        model = bundle.objects[rng.integers(len(bundle.objects))]
        one = varied(solution, model.diameter, rng, with_depth=with_depth)
        estimate = assess(one, model.label, model.obj_id, model.diameter, bundle.manifest.calibration)
        assert (estimate.region90 is None) == np.isnan(estimate.p_correct)
        if estimate.status == "ok":
            ok += 1
            assert estimate.region90 is not None
            assert estimate.region90.translation_mm <= 1000 * OK_RADIUS * model.diameter
            assert estimate.region90.rotation_deg <= OK_ROTATION_DEG
    mode = bundle.manifest.calibration.depth if with_depth else bundle.manifest.calibration.rgb
    assert ok > 0 or mode.never_ok
