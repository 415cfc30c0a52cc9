"""Robot poses over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import InputError
from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.service.streams.pose_buffer import PoseBuffer, load_pose_buffer


def pose_at(seconds: float) -> Array:
    return make(rotation_from_vector([0, 0, 0.3 * seconds]), [0.1 * seconds, 0, 0.5])


@given(st.floats(0, 10))
def test_poses_between_two_are_interpolated(when: float) -> None:
    track = PoseBuffer(max_gap_s=0.6)
    for second in range(11):
        track.add(second, pose_at(second))
    found = track.at(when)
    assert found is not None
    np.testing.assert_allclose(found, pose_at(when), atol=1e-9)


def test_no_pose_is_guessed_where_none_is_near() -> None:
    track = PoseBuffer(max_gap_s=0.25)
    assert track.at(0) is None
    track.add(10, pose_at(10))
    assert track.at(10.2) is not None
    assert track.at(10.3) is None
    track.add(9, pose_at(9))  # late: poses come in order
    assert track.at(9) is None


def test_a_table_of_poses_is_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "poses.csv"
    file.write_text("stamp,x,y,z,qx,qy,qz,qw\n0,0.1,0,0.5,0,0,0,1\n1,0.2,0,0.5,0,0,0,1\n")
    np.testing.assert_allclose(load_pose_buffer(file, 2).at(0.5), make(translation=[0.15, 0, 0.5]))
    header = "stamp,x,y,z,qx,qy,qz,qw\n"
    for text in ("stamp,x\n", f"{header}0,a,0,0,0,0,0,1\n", f"{header}0,0,0,0,0,0,0,0\n"):
        file.write_text(text)
        with pytest.raises(InputError, match=r"poses\.csv"):
            load_pose_buffer(file, 1)
    with pytest.raises(InputError):
        load_pose_buffer(tmp_path / "none.csv", 1)
