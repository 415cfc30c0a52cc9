"""Robot poses from files: one file for all, or one file for each image. The format is detected from the content.

- posebot's own, YAML or JSON: `poses:`, a list of records, each with a pose (see `robots.pose_formats`) and optionally
  `image` (a file name) and `time` (or `stamp`, seconds);
- CSV with a header: one row for each pose, columns named as in `robots.pose_formats`, with `image` and `time`;
- ROS-Industrial: `data:`, a list of {image, pose}, both file names relative to the file;
- MoveIt: a list of pairs [effector_wrt_world, object_wrt_sensor], 4x4 each, or of mappings with these names; it
  contains the target poses, so that no images are needed;
- a folder with one YAML or JSON file for each pose (ViSP's `pose_rPe_3.yaml`, ROS-Industrial's `3.yaml`).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from posebot.core.errors import InputError, PoseError
from posebot.core.transforms import Array
from posebot.robots.pose_formats import EXPECTED, parse_matrix, parse_pose

_LISTS = ("poses", "data", "samples")
_ABOUT = ("image", "time", "stamp")


@dataclass(frozen=True)
class RobotPose:
    """A pose reported by the robot.

    Attributes:
        base_from_gripper: 4x4, metres. name: where it was read, for messages and for pairing.
        image: its image, if the file names one, relative to the folder of the file.
        time: seconds, if given. cam_from_target: 4x4, the target pose, if the file has it.
    """

    base_from_gripper: Array
    name: str
    image: Path | None = None
    time: float | None = None
    cam_from_target: Array | None = None


def read_poses(path: Path) -> list[RobotPose]:
    """The poses of a file or folder, in its order (a folder's in the order of the numbers in the names).

    Raises:
        InputError: missing or not in one of these formats; the message names file, entry and field.
    """
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() == ".csv":
        rows = _csv(path)
    else:
        data = _load(path)
        name = next((name for name in _LISTS if isinstance(data, Mapping) and isinstance(data.get(name), list)), None)
        rows = data[name] if name is not None else data
        if not isinstance(rows, list):
            raise PoseError(path, f"has no list of poses ({', '.join(map(str, data))[:60] if data else 'empty'})",
                            f"poses: [...], {EXPECTED}")
    poses = [_entry(row, f"{path}: pose {i}", path.parent) for i, row in enumerate(rows, start=1)]
    if not poses:
        raise PoseError(path, "has no poses", EXPECTED)
    return poses


def pair_images(poses: list[RobotPose], images: list[Path]) -> list[tuple[Path, RobotPose]]:
    """Pairs images with poses: by file name if poses name images; else by the last number in the names if both have
    the same numbers; else in order.

    Raises:
        InputError: the numbers of images and poses differ.
    """
    if all(pose.image is not None for pose in poses):
        by_name = {image.name: image for image in images}
        found = [(by_name.get(pose.image.name) if images else pose.image, pose)  # type: ignore[union-attr]
                 for pose in poses]
        return [(image, pose) for image, pose in found if image is not None]
    if len(poses) != len(images):
        raise InputError("--poses", f"{len(poses)} poses for {len(images)} images",
                         "one for each image, or poses that name their image")
    numbers = {_number(image.stem): image for image in images}
    wanted = [_number(Path(pose.name).stem) for pose in poses]
    if len(numbers) == len(images) and None not in numbers and set(wanted) == set(numbers):
        return [(numbers[number], pose) for number, pose in zip(wanted, poses)]
    return list(zip(images, poses))


def natural_sort_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Natural sort key: 2.png before 10.png."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)


def _entry(row: Any, where: str, folder: Path) -> RobotPose:
    if isinstance(row, list) and len(row) == 2 and isinstance(row[0], list) and len(row[0]) == 4:
        row = {"effector_wrt_world": row[0], "object_wrt_sensor": row[1]}
    if not isinstance(row, Mapping):
        return RobotPose(parse_pose(row, where), where)
    image, moment = row.get("image"), row.get("time", row.get("stamp"))
    target = row.get("object_wrt_sensor", row.get("cam_from_target"))
    if isinstance(row.get("pose"), str):
        found = _single(folder / row["pose"])
    else:
        found = parse_pose({key: value for key, value in row.items() if key not in _ABOUT}, where)
    return RobotPose(found, where, None if image in (None, "") else folder / str(image), _seconds(moment, where),
                     None if target is None else parse_matrix(target, f"{where}: object_wrt_sensor"))


def _folder(path: Path) -> list[RobotPose]:
    files = sorted((file for file in path.iterdir() if file.suffix in (".yaml", ".yml")), key=natural_sort_key)
    files = files or sorted(path.glob("*.json"), key=natural_sort_key)
    if not files:
        raise PoseError(path, "no YAML or JSON files in it", "one pose in each, or name the file that holds them all")
    return [RobotPose(_single(file), str(file)) for file in files]


def _single(path: Path) -> Array:
    return parse_pose(_load(path), str(path))


def _seconds(value: Any, where: str) -> float | None:
    if value in (None, ""):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise PoseError(where, f"time is {str(value)[:40]!r}", "seconds, such as 1763.25") from None


def _load(path: Path) -> Any:
    text = _text(path)
    try:
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:100]
        raise PoseError(path, f"is neither valid JSON nor valid YAML ({reason})", EXPECTED) from None


def _csv(path: Path) -> list[dict[str, Any]]:
    lines = [line for line in _text(path).splitlines() if line.strip() and not line.startswith("#")]
    rows = list(csv.DictReader(lines, skipinitialspace=True))
    header = list(rows[0]) if rows else []
    matrix = [f"m{i}{j}" for i in range(4) for j in range(4)]
    if None in header or any(None in row.values() for row in rows):
        raise PoseError(path, "rows of different length than the header", "a header and one value for each column")
    if set(matrix) <= set(header):
        return [{"matrix": [row[name] for name in matrix], **_meta(row)} for row in rows]
    return [{key: value for key, value in row.items() if value != ""} for row in rows]


def _meta(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _ABOUT if name in row}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PoseError(path, f"not readable ({getattr(error, 'strerror', None) or 'not text'})", EXPECTED) from None


def _number(stem: str) -> int | None:
    found = re.findall(r"\d+", stem)
    return int(found[-1]) if found else None
