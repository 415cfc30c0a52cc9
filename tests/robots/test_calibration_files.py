"""Calibrations as files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from posebot.core.errors import InputError
from posebot.core.transforms import exp
from posebot.robots.calibration_files import hand_eye_to_dict, load_hand_eye, write_yaml
from posebot.robots.hand_eye import calibrate_hand_eye
from posebot.robots.views import Mode
from tests.robots.synthetic_robot import CAMERA, make_robot


@pytest.mark.parametrize("mode", ["eye-in-hand", "eye-to-hand"])
def test_written_and_read(mode: Mode, tmp_path: Path) -> None:
    robot = make_robot(mode, 6, 1)
    result = calibrate_hand_eye(robot.views, mode, CAMERA)
    content = hand_eye_to_dict(result, "charuco:5x4:40mm:30mm:DICT_4X4_50")
    json.dumps(content, allow_nan=False)
    write_yaml(tmp_path / "new" / "hand_eye.yaml", content)
    read = load_hand_eye(tmp_path / "new" / "hand_eye.yaml")
    assert read.mode == mode
    np.testing.assert_allclose(read.pose, result.mount_from_cam, atol=1e-8)
    np.testing.assert_allclose(read.covariance, result.covariance)
    gripper = exp([0.4, 0, 0.5, 1, 0, 0])
    expected = gripper @ read.pose if mode == "eye-in-hand" else read.pose
    np.testing.assert_allclose(read.base_from_cam(gripper), expected)
    if mode == "eye-in-hand":
        with pytest.raises(InputError, match="robot's pose"):
            read.base_from_cam()


@pytest.mark.parametrize(("change", "words"), [
    ({"schema": 2}, "schema: 2 is not valid; 1"), ({"mode": "nowhere"}, "one of eye-in-hand, eye-to-hand"),
    ({"gripper_from_cam": [[1]]}, "16 are needed"),
    ({"covariance": [[1]]}, "6x6"),
])
def test_refused(change: dict, words: str, tmp_path: Path) -> None:
    good = {"schema": 1, "mode": "eye-in-hand", "gripper_from_cam": np.eye(4).tolist()}
    file = tmp_path / "hand_eye.yaml"
    file.write_text(yaml.safe_dump(good | change))
    with pytest.raises(InputError, match=words):
        load_hand_eye(file)
    with pytest.raises(InputError, match="no such file"):
        load_hand_eye(tmp_path / "nothing.yaml")
