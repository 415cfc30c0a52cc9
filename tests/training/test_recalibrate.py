"""`posebot models recalibrate`: what it writes and what it leaves as it was. A log replaces the images."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from posebot.cli.main import run
from posebot.datasets.bop import BopDataset
from posebot.models.bundle import Bundle, rewrite_manifest
from posebot.models.manifest import PoseStage
from posebot.stages import POSE_STAGE_VERSION
from posebot.stages.certainty import feature_names
from posebot.training.calibrate import Observation
from posebot.training.recalibrate import next_patch
from tests.training.scenes import write_scenes

SETTINGS = {"scoring": {"weights": {"depth": {"silhouette": 50.0}}}}


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def _log(data: Path, path: Path, each: int, modes: tuple[str, ...] = ("rgb",)) -> Path:
    """A log that has `each` estimates of every image, two of three of them right and sure."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        for number, key in enumerate(BopDataset(data, "train").keys()):
            right = number % 3 > 0
            error = 0.002 * rng.random() if right else 0.05
            features = [0.9 if right else 0.1] * len(feature_names())
            seen = [Observation(key.frame_id, mode, 1, 0.9, np.eye(4).tolist(), features, (np.eye(6) * 1e-6).tolist(),
                                error, [error, 0, 0, 5 * error, 0, 0]) for mode in modes]
            line = {"frame": key.frame_id, "pose_stage": POSE_STAGE_VERSION, "features": feature_names(),
                    "observations": [asdict(one) for one in seen] * each}
            file.write(json.dumps(line) + "\n")
    return path


def _recalibrate(bundle: Path, data: Path, log: Path, *more: str) -> int:
    return run(["models", "recalibrate", str(bundle), "--dataset", str(data), "--split", "train", "--log", str(log),
                *more])


def test_one_mode_is_calibrated_and_the_rest_stays(bundle: Path, tmp_path: Path) -> None:
    before, data = Bundle.open(bundle), write_scenes(tmp_path / "data")
    log = _log(data, tmp_path / "log.jsonl", 1)
    assert _recalibrate(bundle, data, log, "--mode", "rgb", "--upright-prior", "0.8", "--version", "0.1") == 0
    after = Bundle.open(bundle)
    assert after.manifest.version == "0.1" and after.manifest.upright_prior == 0.8
    assert after.manifest.calibration.rgb.samples == 12
    assert after.manifest.calibration.depth == before.manifest.calibration.depth
    assert after.manifest.detector == before.manifest.detector
    assert (after.detector, after.localizer) == (before.detector, before.localizer)
    assert after.manifest.provenance["metrics"]["rgb_estimates"] == 12
    assert after.manifest.provenance["calibrated"] == [
        {"name": "data", "split": "train", "frames": 12, "truth_sha256": BopDataset(data, "train").truth_sha256()}]


def test_the_pose_stage_is_recorded_once_no_older_calibration_is_left(bundle: Path, tmp_path: Path) -> None:
    manifest = Bundle.open(bundle).manifest
    rewrite_manifest(bundle, replace(manifest, pose_stage=PoseStage(0, SETTINGS), calibration=replace(
        manifest.calibration, depth=replace(manifest.calibration.depth, samples=9))))
    data = write_scenes(tmp_path / "data")
    log = _log(data, tmp_path / "log.jsonl", 1, ("rgb", "depth"))
    assert _recalibrate(bundle, data, log, "--mode", "rgb") == 0
    assert Bundle.open(bundle).manifest.pose_stage == PoseStage(0, SETTINGS)
    assert _recalibrate(bundle, data, log, "--out", str(tmp_path / "new")) == 0
    new = Bundle.open(tmp_path / "new").manifest
    assert new.pose_stage == PoseStage(POSE_STAGE_VERSION, SETTINGS)
    assert new.version == next_patch(Bundle.open(bundle).manifest.version)


@pytest.mark.parametrize(("version", "after"), [("0.4.1", "0.4.2"), ("1.9", "1.10"), ("draft", "draft.1")])
def test_the_next_patch_level(version: str, after: str) -> None:
    assert next_patch(version) == after


def test_too_few_estimates_leave_the_bundle_as_it_was(bundle: Path, tmp_path: Path,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    before, data = (bundle / "bundle.yaml").read_bytes(), write_scenes(tmp_path / "data")
    log = _log(data, tmp_path / "log.jsonl", 0)
    assert _recalibrate(bundle, data, log, "--mode", "rgb") == 2
    assert "too few estimates to calibrate rgb" in capsys.readouterr().err
    assert (bundle / "bundle.yaml").read_bytes() == before


def test_a_share_of_upright_objects_beyond_one_is_refused(bundle: Path, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    data = write_scenes(tmp_path / "data")
    assert _recalibrate(bundle, data, tmp_path / "log.jsonl", "--upright-prior", "85") == 2
    assert "--upright-prior: is 85; 0 to 1" in capsys.readouterr().err


def test_a_zip_is_refused(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zipped = shutil.make_archive(str(tmp_path / "packed"), "zip", bundle)
    assert _recalibrate(Path(zipped), tmp_path, tmp_path / "log.jsonl") == 2
    assert "packed.zip: cannot be rewritten" in capsys.readouterr().err
