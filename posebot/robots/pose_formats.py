"""Robot poses in various formats. Metres and radians, unless a name says otherwise.

Formats, in a mapping (JSON, YAML, or a row of a CSV file by its header):

- a matrix, 4x4 or 16 numbers row-major: base_from_gripper, effector_wrt_world, matrix; or gripper_from_base (inverted);
- a position: position, translation, xyz, or x y z; in millimetres: position_mm, xyz_mm, or x_mm y_mm z_mm;
- with a rotation: quaternion_xyzw, quaternion, orientation (x, y, z, w as in ROS), quaternion_wxyz, or qx qy qz qw;
  rotation_vector, or rx ry rz, the axis times the angle; rpy, or roll pitch yaw, about the fixed axes x, y, z as in
  URDF. With _deg (rotation_vector_deg, rpy_deg, rx_deg, roll_deg ...) in degrees;
- ViSP's `{rows: 6, cols: 1, data: [...]}`: position and rotation vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from posebot.core.errors import PoseError
from posebot.core.transforms import (
    Array,
    inverse,
    is_transform,
    make,
    orthonormal,
    rotation_from_quaternion,
    rotation_from_vector,
)

MATRIX_NAMES = ("base_from_gripper", "effector_wrt_world", "matrix", "gripper_from_base")
EXPECTED = ("for example {position: [0.4, 0, 0.5], quaternion_xyzw: [0, 1, 0, 0]}, metres; see docs/how-to/hand-eye.md")
_REACH = 10.0  # metres; larger numbers are assumed to be millimetres
_MAX_ANGLE = 2 * np.pi + 1e-3
_POSITIONS = ("position", "translation", "xyz")
_ROTATIONS = {"quaternion_xyzw": 4, "quaternion": 4, "orientation": 4, "rotation": 4, "quaternion_wxyz": 4,
              "rotation_vector": 3, "rpy": 3}
_PARTS = {"quaternion_xyzw": ("qx", "qy", "qz", "qw"), "rotation_vector": ("rx", "ry", "rz"),
          "rpy": ("roll", "pitch", "yaw")}


def parse_pose(record: Any, where: str) -> Array:
    """`base_from_gripper` (4x4) from one record.

    Raises:
        InputError: no pose, a number is missing or not finite, not a rotation, or the numbers seem to be millimetres
            or degrees.
    """
    if not isinstance(record, Mapping):
        return check_pose_units(parse_matrix(record, where), where)
    record = {str(key).strip(): value for key, value in record.items()}
    if {"rows", "data"} <= set(record):
        values = _numbers(record["data"], 6, f"{where}: data")
        return check_pose_units(make(_from_vector(values[3:], where), values[:3]), where)
    name = next((name for name in MATRIX_NAMES if name in record), None)
    if name is not None:
        matrix = check_pose_units(parse_matrix(record[name], f"{where}: {name}"), f"{where}: {name}")
        return inverse(matrix) if name == "gripper_from_base" else matrix
    if isinstance(record.get("pose"), Mapping):
        return parse_pose(record["pose"], where)
    position = _position(record, where)
    return check_pose_units(make(_rotation(record, where), position), where)


def parse_matrix(value: Any, where: str) -> Array:
    """A rigid 4x4 from nested lists or 16 numbers, its rotation orthonormalised; the position is not checked."""
    matrix = _numbers(value, 16, where).reshape(4, 4)
    if not is_transform(matrix):
        raise PoseError(where, "the matrix is not a rigid transform", "rows of 4x4, a rotation, last row 0 0 0 1")
    return make(orthonormal(matrix[:3, :3]), matrix[:3, 3])


def check_pose_units(pose: Array, where: str) -> Array:
    """The pose. Raises InputError if its position is out of reach of any arm (millimetres?)."""
    far = float(np.abs(pose[:3, 3]).max())
    if far > _REACH:
        raise PoseError(where, f"a position of {far:.4g} m is out of reach of any robot arm",
                        "metres; millimetres only under names such as position_mm or x_mm")
    return pose


def _position(record: Mapping[str, Any], where: str) -> Array:
    for suffix, unit in (("", 1.0), ("_mm", 1e-3)):
        for name in _POSITIONS:
            if name + suffix in record:
                return _numbers(record[name + suffix], 3, f"{where}: {name}{suffix}") * unit
        if "x" + suffix in record:
            return _parts(record, [axis + suffix for axis in "xyz"], where) * unit
    raise PoseError(where, f"no position among {', '.join(record) or 'nothing'}", EXPECTED)


def _rotation(record: Mapping[str, Any], where: str) -> Array:
    for suffix, unit in (("", 1.0), ("_deg", np.pi / 180)):
        for name, count in _ROTATIONS.items():
            if name + suffix in record:
                values = _numbers(record[name + suffix], count, f"{where}: {name}{suffix}")
                return _rotation_from(name, values, unit, where)
        for name, parts in _PARTS.items():
            if parts[0] + suffix in record:
                return _rotation_from(name, _parts(record, [part + suffix for part in parts], where), unit, where)
    raise PoseError(where, f"no rotation among {', '.join(record)}", EXPECTED)


def _rotation_from(name: str, values: Array, unit: float, where: str) -> Array:
    if len(values) == 4:
        length = float(np.linalg.norm(values))
        if abs(length - 1) > 0.02:
            raise PoseError(where, f"{name} has length {length:.4g}", "a unit quaternion")
        return rotation_from_quaternion(np.roll(values, -1) if name == "quaternion_wxyz" else values)
    values = values * unit
    if name == "rotation_vector":
        return _from_vector(values, where)
    if np.abs(values).max() > _MAX_ANGLE:
        raise PoseError(where, f"{name} is {np.abs(values).max():.4g} rad", "radians; degrees only under *_deg")
    roll, pitch, yaw = (rotation_from_vector(axis * angle) for axis, angle in zip(np.eye(3), values))
    return yaw @ pitch @ roll


def _from_vector(vector: Array, where: str) -> Array:
    angle = float(np.linalg.norm(vector))
    if angle > _MAX_ANGLE:
        raise PoseError(where, f"a rotation vector of length {angle:.4g} rad", "radians; degrees only under *_deg")
    return rotation_from_vector(vector)


def _parts(record: Mapping[str, Any], names: list[str], where: str) -> Array:
    missing = [name for name in names if name not in record]
    if missing:
        raise PoseError(where, f"{', '.join(missing)} missing", EXPECTED)
    return _numbers([record[name] for name in names], len(names), f"{where}: {' '.join(names)}")


def _numbers(value: Any, count: int, where: str) -> Array:
    if isinstance(value, Mapping):
        value = [value[axis] for axis in "xyzw" if axis in value] or list(value.values())
    try:
        numbers = np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):
        numbers = np.full(count, np.nan)
    if len(numbers) != count:
        raise PoseError(where, f"{len(numbers)} numbers", f"{count} are needed")
    if not np.isfinite(numbers).all():
        raise PoseError(where, f"{str(value)[:60]} is not a list of finite numbers", EXPECTED)
    return numbers
