"""Robot poses in the forms that people have them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from posebot.core.errors import InputError
from posebot.core.transforms import Array, exp, inverse, make
from posebot.robots.pose_formats import parse_pose
from posebot.robots.robot_poses import pair_images, read_poses

twists = st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6).map(lambda values: np.array(values))


@given(twists)
def test_every_way_of_writing_a_pose(twist: Array) -> None:
    pose = exp(twist)
    turn, position = Rotation.from_matrix(pose[:3, :3]), pose[:3, 3].tolist()
    x, y, z, w = turn.as_quat().tolist()
    roll, pitch, yaw = turn.as_euler("xyz").tolist()
    vector = turn.as_rotvec().tolist()
    records = [
        {"base_from_gripper": pose.tolist()}, {"matrix": pose.ravel().tolist()}, pose.tolist(),
        {"gripper_from_base": inverse(pose).tolist()},
        {"position": position, "quaternion_xyzw": [x, y, z, w]}, {"xyz": position, "quaternion_wxyz": [w, x, y, z]},
        {"position_mm": [1000 * value for value in position], "rotation_vector": vector},
        {"translation": position, "rpy": [roll, pitch, yaw]},
        {"pose": {"position": dict(zip("xyz", position)), "orientation": {"x": x, "y": y, "z": z, "w": w}}},
        {"translation": dict(zip("xyz", position)), "rotation": {"w": w, "x": x, "y": y, "z": z}},
        dict(zip(("x", "y", "z", "qx", "qy", "qz", "qw"), [*position, x, y, z, w])),
        dict(zip(("x_mm", "y_mm", "z_mm", "rx_deg", "ry_deg", "rz_deg"),
                 [*(1000 * np.array(position)), *np.degrees(vector)])),
        dict(zip(("x", "y", "z", "roll_deg", "pitch_deg", "yaw_deg"), [*position, *np.degrees([roll, pitch, yaw])])),
        {"rows": 6, "cols": 1, "data": [[value] for value in [*position, *vector]]},
    ]
    for record in records:
        np.testing.assert_allclose(parse_pose(record, "made"), pose, atol=1e-6)


@pytest.mark.parametrize(("record", "words"), [
    ({"position": [400, 0, 500], "quaternion_xyzw": [0, 1, 0, 0]}, "millimetres only under names such as position_mm"),
    ({"position": [0.4, 0, 0.5], "rotation_vector": [0, 180, 0]}, "degrees only under"),
    ({"position": [0.4, 0, 0.5], "rpy": [180, 0, 90]}, "degrees only under"),
    ({"position": [0.4, 0, 0.5], "quaternion_xyzw": [0, 1, 1, 0]}, "a unit quaternion"),
    ({"position": [0.4, 0, 0.5]}, "no rotation"),
    ({"quaternion_xyzw": [0, 1, 0, 0]}, "no position"),
    ({"position": [0.4, 0], "quaternion_xyzw": [0, 1, 0, 0]}, "3 are needed"),
    ({"x": 1, "y": 1, "qx": 0}, "z missing"),
    ({"position": [0.4, "b", 0], "rpy": [0, 0, 0]}, "finite numbers"),
    ({"position": [0.4, float("nan"), 0], "rpy": [0, 0, 0]}, "finite numbers"),
    ([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "not a rigid transform"),
    ("here", "finite numbers"),
    ({}, "no position among nothing"),
])
def test_refused(record: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_pose(record, "poses.yaml: pose 3")


def _poses(count: int = 3) -> list[Array]:
    return [exp([0.1 * i, 0.2, 0.3, 0.1, 0.2 * i, 0]) for i in range(count)]


def test_files_of_all_kinds(tmp_path: Path) -> None:
    poses = _poses()
    quaternions = [Rotation.from_matrix(pose[:3, :3]).as_quat().tolist() for pose in poses]
    own = {"poses": [{"image": f"{i}.png", "time": i / 10, "base_from_gripper": pose.tolist()}
                     for i, pose in enumerate(poses)]}
    (tmp_path / "own.json").write_text(json.dumps(own))
    header = "image,time,x,y,z,qx,qy,qz,qw"
    rows = [",".join(map(str, [f"{i}.png", i / 10, *pose[:3, 3], *q]))
            for i, (pose, q) in enumerate(zip(poses, quaternions))]
    (tmp_path / "table.csv").write_text("\n".join(["# a comment", header, *rows]))
    matrix = ",".join(f"m{i}{j}" for i in range(4) for j in range(4))
    (tmp_path / "matrix.csv").write_text("\n".join(
        [f"image,time,{matrix}", *(f"{i}.png,{i / 10}," + ",".join(map(str, pose.ravel()))
                                   for i, pose in enumerate(poses))]))
    for name in ("own.json", "table.csv", "matrix.csv"):
        read = read_poses(tmp_path / name)
        assert [entry.time for entry in read] == [0, 0.1, 0.2]
        assert [entry.image for entry in read] == [tmp_path / f"{i}.png" for i in range(3)]
        np.testing.assert_allclose([entry.base_from_gripper for entry in read], poses, atol=1e-9)


def test_moveit_pairs_bring_the_targets_pose(tmp_path: Path) -> None:
    pairs = [[pose.tolist(), inverse(pose).tolist()] for pose in _poses()]
    named = [{"effector_wrt_world": np.ravel(first).tolist(), "object_wrt_sensor": np.ravel(second).tolist()}
             for first, second in pairs]
    for i, content in enumerate((pairs, named)):
        (tmp_path / f"{i}.json").write_text(json.dumps(content))
        read = read_poses(tmp_path / f"{i}.json")
        assert read[1].cam_from_target is not None
        np.testing.assert_allclose(read[1].cam_from_target, inverse(_poses()[1]), atol=1e-9)


def test_folder_is_paired_by_number(tmp_path: Path) -> None:
    poses = _poses(11)
    for i, pose in enumerate(poses, start=1):
        vector = Rotation.from_matrix(pose[:3, :3]).as_rotvec()
        data = "\n".join(f"  - [{value}]" for value in [*pose[:3, 3], *vector])
        (tmp_path / f"pose_rPe_{i}.yaml").write_text(f"rows: 6\ncols: 1\ndata:\n{data}\n")
    read = read_poses(tmp_path)
    np.testing.assert_allclose([entry.base_from_gripper for entry in read], poses, atol=1e-9)
    images = [Path(f"image-{i}.png") for i in (10, 11, *range(1, 10))]
    assert [image.name for image, _ in pair_images(read, images)] == [f"image-{i}.png" for i in range(1, 12)]


def test_pairing(tmp_path: Path) -> None:
    (tmp_path / "poses.json").write_text(json.dumps([make(None, [0, 0, i]).tolist() for i in range(3)]))
    poses = read_poses(tmp_path / "poses.json")
    images = [Path("left.png"), Path("right.png"), Path("top.png")]
    assert [image for image, _ in pair_images(poses, images)] == images
    with pytest.raises(InputError, match="3 poses for 2 images"):
        pair_images(poses, images[:2])


@pytest.mark.parametrize(("name", "content", "words"), [
    ("none.yaml", None, "not readable"),
    ("broken.json", "{", "neither valid JSON nor valid YAML"),
    ("empty.yaml", "", "no list of poses"),
    ("nothing.yaml", "poses: []", "no poses"),
    ("text.yaml", "poses: [a, b]", "pose 1"),
    ("time.yaml", "poses: [{xyz: [0, 0, 0], rpy: [0, 0, 0], time: noon}]", "seconds"),
    ("short.csv", "x,y,z,qx,qy,qz,qw\n1,2,3\n", "different length"),
    ("long.csv", "x,y\n1,2,3\n", "different length"),
    ("only.csv", "x,y,z\n", "no poses"),
])
def test_files_refused(name: str, content: str | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words) as error:
        read_poses(tmp_path / name)
    assert name in str(error.value)
