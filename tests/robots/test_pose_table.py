"""Robot poses by time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from posebot.core.errors import InputError
from posebot.core.transforms import exp, perturb
from posebot.robots.pose_table import PoseTable, base_from_cam, read_pose_table


@given(st.floats(0, 1), st.integers(0, 1000))
def test_interpolates_as_scipys_slerp(share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    poses = exp(random.uniform(-1.5, 1.5, (2, 6)))
    found = PoseTable(np.array([10.0, 10.1]), poses).at(10 + 0.1 * share)
    expected = Slerp([0, 1], Rotation.from_matrix(poses[:, :3, :3]))(share).as_matrix()
    np.testing.assert_allclose(found[:3, :3], expected, atol=1e-6)
    np.testing.assert_allclose(found[:3, 3], (1 - share) * poses[0, :3, 3] + share * poses[1, :3, 3], atol=1e-9)


def test_twist_is_the_speed() -> None:
    speed = np.array([0.1, -0.2, 0.05, 0.3, 0.1, -0.2])
    start = exp([0.4, 0, 0.5, 0.1, 0.2, 0.3])
    table = PoseTable(np.arange(3) * 0.1, np.stack([perturb(start, speed * 0.1 * i) for i in range(3)]))
    np.testing.assert_allclose(table.twist(0.15), speed, atol=1e-9)
    np.testing.assert_allclose(table.at(0.1), perturb(start, speed * 0.1), atol=1e-12)


def test_holes_and_ends_are_refused() -> None:
    table = PoseTable(np.array([0.0, 0.1, 5.0]), np.stack([np.eye(4)] * 3), "arm.csv")
    for time, words in ((-0.1, "covers 0.000 to 5.000"), (5.1, "same clock"), (2.0, "a gap of 4.900 s")):
        with pytest.raises(InputError, match=words):
            table.at(time)
    np.testing.assert_allclose(table.at(2.0, max_gap=10), np.eye(4))


def test_read(tmp_path: Path) -> None:
    file = tmp_path / "arm.csv"
    file.write_text("time,x,y,z,qx,qy,qz,qw\n1.1,0.2,0,0,0,0,0,1\n1.0,0.1,0,0,0,0,0,1\n")
    table = read_pose_table(file)
    assert table.at(1.05)[0, 3] == pytest.approx(0.15)
    file.write_text("time,x,y,z,qx,qy,qz,qw\n1.1,0.2,0,0,0,0,0,1\n1.1,0.1,0,0,0,0,0,1\n")
    with pytest.raises(InputError, match="same time"):
        read_pose_table(file)
    file.write_text("x,y,z,qx,qy,qz,qw\n0.2,0,0,0,0,0,1\n0.1,0,0,0,0,0,1\n")
    with pytest.raises(InputError, match="no time"):
        read_pose_table(file)
    file.write_text("time,x,y,z,qx,qy,qz,qw\n1,0.2,0,0,0,0,0,1\n")
    with pytest.raises(InputError, match="one pose only"):
        read_pose_table(file)


def test_base_from_cam() -> None:
    gripper, camera = exp([0.4, 0, 0.5, 0.1, 0.2, 0.3]), exp([0, 0.05, 0.02, 0, 0, 1.5])
    np.testing.assert_allclose(base_from_cam(gripper, camera), gripper @ camera)
