"""Against BOP's own toolkit: its published figures where the data is there, and its functions where it is installed.

Published (the toolkit's tests eval_bop19_pose_test.py and eval_bop24_pose_test.py, tolerance 1e-3): the sample result
cnos-fastsammegapose_lmo-test_16ab01bd-f020-4194-9750-d42fc7f875d2.csv on the whole LM-O test split.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from posebot.core.transforms import make, rotation_from_vector
from posebot.evaluation import localization, pose_detection, pose_errors
from posebot.evaluation.run import evaluate, local_executor
from posebot.evaluation.worker import CsvEstimates, EvaluationSplit

LOCALIZATION = {"VSD": 0.39769, "MSSD": 0.49412, "MSPD": 0.60671, "AR": 0.49951}
DETECTION = {"AP_MSSD": 0.503589, "AP_MSPD": 0.617203, "AP": 0.560396}
TOLERANCE = 1e-3


@pytest.mark.long
def test_published_scores_of_megapose_on_lmo(tmp_path: Path) -> None:
    folder, csv = os.environ.get("POSEBOT_LMO"), os.environ.get("POSEBOT_LMO_CSV")
    if not folder or not csv:
        pytest.skip("set POSEBOT_LMO to the whole LM-O (depth, models_eval) and POSEBOT_LMO_CSV to the sample result")
    split = EvaluationSplit(Path(folder), "test")
    executor = local_executor(os.cpu_count() or 1)
    records = evaluate(split, partial(CsvEstimates, Path(csv), split), tmp_path, {}, executor)
    models = split.open().objects
    found = localization.recalls(localization.localization_table(records, models))
    assert {name: found[name] for name in LOCALIZATION} == pytest.approx(LOCALIZATION, abs=TOLERANCE)
    precision, _ = pose_detection.average_precisions(records, models)
    assert {name: precision[name] for name in DETECTION} == pytest.approx(DETECTION, abs=TOLERANCE)


def test_error_functions_of_the_installed_toolkit() -> None:
    theirs = pytest.importorskip("bop_toolkit_lib.pose_error", reason="bop_toolkit_lib is not installed")
    misc = pytest.importorskip("bop_toolkit_lib.misc")
    info = {"symmetries_discrete": [[1, 0, 0, 0, 0, -1, 0, 3.0, 0, 0, -1, -2.0, 0, 0, 0, 1]],
            "symmetries_continuous": [{"axis": [0, 0.6, 0.8], "offset": [0, 0, 5.0]}]}
    syms = misc.get_symmetry_transformations(info, 0.01)
    ours = np.stack([make(sym["R"], sym["t"].ravel()) for sym in syms])
    rng = np.random.default_rng(0)
    K, vertices = np.array([[570.0, 0, 320], [0, 570, 240], [0, 0, 1]]), rng.normal(size=(300, 3)) * 40
    for _ in range(50):
        gt = make(rotation_from_vector(rng.normal(size=3)), rng.uniform([-200, -200, 600], [200, 200, 1200]))
        est = make(rotation_from_vector(rng.normal(size=3) * 0.3) @ gt[:3, :3], gt[:3, 3] + rng.normal(size=3) * 20)
        poses = est[:3, :3], est[:3, 3:], gt[:3, :3], gt[:3, 3:]
        mssd = pose_errors.mssd(est, gt, vertices, ours)[0]
        assert mssd == pytest.approx(theirs.mssd(*poses, vertices, syms), abs=1e-6)
        assert pose_errors.mspd(est, gt, K, vertices, ours)[0] == pytest.approx(
            theirs.mspd(*poses, K, vertices, syms), abs=1e-6)
        assert pose_errors.add(est, gt, vertices)[0] == pytest.approx(theirs.add(*poses, vertices), abs=1e-6)
        assert pose_errors.adi(est, gt, vertices)[0] == pytest.approx(theirs.adi(*poses, vertices), abs=1e-6)
