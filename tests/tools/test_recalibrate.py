"""tools/recalibrate.py: what it writes and what it leaves as it was. A log stands in for the pictures it has seen."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from posebot.datasets.bop import BopDataset
from posebot.models.bundle import Bundle
from posebot.stages.certainty import feature_names
from posebot.training.calibrate import Observation
from tests.training.scenes import write_scenes


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def _log(data: Path, path: Path, each: int) -> Path:
    """A log that has `each` estimates of every picture, two of three of them right and sure."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        for number, key in enumerate(BopDataset(data, "train").keys()):
            right = number % 3 > 0
            error = 0.002 * rng.random() if right else 0.05
            features = [0.9 if right else 0.1] * len(feature_names())
            one = Observation(key.frame_id, "rgb", 1, 0.9, np.eye(4).tolist(), features, (np.eye(6) * 1e-6).tolist(),
                              error, [error, 0, 0, 5 * error, 0, 0])
            file.write(json.dumps({"frame": key.frame_id, "observations": [asdict(one)] * each}) + "\n")
    return path


def _run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["recalibrate", *map(str, arguments)])
    return int(tool.main())


def test_one_mode_is_calibrated_and_the_rest_stays(tool: ModuleType, bundle: Path, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    before, data = Bundle.open(bundle), write_scenes(tmp_path / "data")
    log = _log(data, tmp_path / "log.jsonl", 1)
    assert _run(tool, monkeypatch, "--bundle", bundle, "--dataset", data, "--split", "train", "--mode", "rgb",
                "--version", "0.0.2", "--standing", "0.8", "--log", log) == 0
    after = Bundle.open(bundle)
    assert after.manifest.version == "0.0.2" and after.manifest.upright_prior == 0.8
    assert after.manifest.calibration.rgb.samples == 12
    assert after.manifest.calibration.depth == before.manifest.calibration.depth
    assert after.manifest.detector == before.manifest.detector
    assert (after.detector, after.localizer) == (before.detector, before.localizer)
    assert after.manifest.provenance["metrics"]["rgb_estimates"] == 12


def test_too_few_estimates_leave_the_bundle_as_it_was(tool: ModuleType, bundle: Path, tmp_path: Path,
                                                      monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    before, data = (bundle / "bundle.yaml").read_bytes(), write_scenes(tmp_path / "data")
    log = _log(data, tmp_path / "log.jsonl", 0)
    assert _run(tool, monkeypatch, "--bundle", bundle, "--dataset", data, "--split", "train", "--mode", "rgb",
                "--log", log) == 2
    assert "too few estimates to calibrate rgb" in capsys.readouterr().err
    assert (bundle / "bundle.yaml").read_bytes() == before


def test_a_share_of_standing_objects_beyond_one_is_refused(
        tool: ModuleType, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    data = write_scenes(tmp_path / "data")
    assert _run(tool, monkeypatch, "--bundle", bundle, "--dataset", data, "--split", "train", "--standing", "85",
                "--log", tmp_path / "log.jsonl") == 2
    assert "--standing: is 85; 0 to 1" in capsys.readouterr().err.replace(", expected", "")


def test_a_zip_is_refused(tool: ModuleType, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                          capsys: pytest.CaptureFixture[str]) -> None:
    zipped = shutil.make_archive(str(tmp_path / "packed"), "zip", bundle)
    assert _run(tool, monkeypatch, "--bundle", zipped, "--dataset", tmp_path, "--log", tmp_path / "log.jsonl") == 2
    assert "packed.zip: cannot be written anew" in capsys.readouterr().err
