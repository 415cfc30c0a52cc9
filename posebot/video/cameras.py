"""The named cameras of a configuration file.

    cameras:
      wrist:
        kind: rtsp                       # file, folder, video, device, rtsp or sim
        source: rtsp://robot:${CAMERA_PASSWORD}@10.0.0.12/stream1
        intrinsics: wrist_camera.yaml    # a file, relative to this one, or the numbers themselves
        hand_eye: hand_eye.yaml          # of posebot calibrate hand-eye; or, for a camera that does not move,
        base_from_cam: [1, 0, 0, 0.4, 0, -1, 0, 0, 0, 0, -1, 0.6, 0, 0, 0, 1]

Also: depth_scale (millimetres per unit), depth (true or false), scale_camera, fps; of a simulation seed, speed (of the
hand, 1 is careful) and bundle (whose objects lie on the table, default: the kit); with hand_eye robot_poses (a file,
for recordings), arm_mm, arm_deg and latency_ms (one sigma).
Network addresses are only taken from here, never from the command line or a request: what posebot opens is decided by
whoever wrote this file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from posebot.core.errors import CameraSetupError
from posebot.core.transforms import Array, is_transform
from posebot.video.intrinsics import Intrinsics, depth_scale_from, intrinsics_from, load_intrinsics
from posebot.video.source import redacted

if TYPE_CHECKING:
    from posebot.video.hand_eye_mount import HandEyeMount

KINDS = ("file", "folder", "video", "device", "rtsp", "sim")
_MOUNTED = ("robot_poses", "arm_mm", "arm_deg", "latency_ms")  # only with hand_eye
_FIELDS = {"kind", "source", "intrinsics", "fps", "depth_scale", "base_from_cam", "scale_camera", "seed", "depth",
           "speed", "bundle", "hand_eye", *_MOUNTED}
_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://")


@dataclass(frozen=True)
class CameraEntry:
    """One camera of the configuration, checked. `source` may hold credentials, so it is not shown.

    Attributes:
        kind: one of KINDS. source: path, device number, or address. seed, speed, bundle: of a simulated camera.
        base_from_cam: 4x4 of a camera that does not move, also where `mount`, its hand-eye calibration, says so.
    """

    kind: str
    source: str = ""
    intrinsics: Intrinsics | None = None
    fps: float | None = None
    base_from_cam: Array | None = None
    scale_camera: bool = False
    seed: int = 0
    depth: bool = True
    speed: float = 1.0
    bundle: str = "kit"
    mount: HandEyeMount | None = None

    def __repr__(self) -> str:
        return f"CameraEntry({self.kind}, {redacted(self.source)})"


def load_cameras(path: str | Path) -> dict[str, CameraEntry]:
    """The cameras of a configuration file by name. `${NAME}` in `source` is taken from the environment.

    Raises:
        InputError: the file is missing or no YAML, or an entry is wrong; the message names it.
    """
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CameraSetupError(path, f"not readable ({getattr(error, 'strerror', None) or 'not text'})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # the text itself may hold a password
        raise CameraSetupError(path, f"no YAML{f', line {mark.line + 1}' if mark else ''}") from None
    cameras = data.get("cameras") if isinstance(data, Mapping) else None
    if not isinstance(cameras, Mapping) or not cameras:
        raise CameraSetupError(path, "names no camera",
                               "cameras: {wrist: {kind: device, source: 0, intrinsics: camera.yaml}}")
    return {str(name): _entry(entry, f"{path}: camera {name}", path.parent) for name, entry in cameras.items()}


def _entry(data: Any, where: str, folder: Path) -> CameraEntry:
    if not isinstance(data, Mapping):
        raise CameraSetupError(where, f"is {type(data).__name__}", "kind, source, intrinsics")
    unknown = sorted(str(key) for key in data if key not in _FIELDS)
    if unknown:
        raise CameraSetupError(where, f"unknown field {unknown[0]!r}", f"one of {', '.join(sorted(_FIELDS))}")
    kind = data.get("kind")
    if kind not in KINDS:
        raise CameraSetupError(where, f"kind is {kind!r}", f"one of {', '.join(KINDS)}")
    intrinsics = _intrinsics(data.get("intrinsics"), where, folder)
    if intrinsics is not None and "depth_scale" in data:
        intrinsics = replace(intrinsics, depth_scale=depth_scale_from(data["depth_scale"], where))
    mount, fixed = _mount(data, where, folder), _transform(data.get("base_from_cam"), where)
    return CameraEntry(kind, _address(kind, data.get("source"), where, folder), intrinsics,
                       _positive(data.get("fps"), "fps", where), fixed if mount is None else mount.base_from_cam,
                       bool(data.get("scale_camera", False)), int(_positive(data.get("seed", 0), "seed", where) or 0),
                       bool(data.get("depth", True)), _positive(data.get("speed", 1.0), "speed", where) or 0.0,
                       str(data.get("bundle", "kit")), mount)


def _mount(data: Mapping[str, Any], where: str, folder: Path) -> HandEyeMount | None:
    given = [name for name in _MOUNTED if data.get(name) is not None]
    if data.get("hand_eye") is None:
        if given:
            raise CameraSetupError(where, f"{given[0]} without hand_eye",
                                   "hand_eye: a file of posebot calibrate hand-eye")
        return None
    if data.get("base_from_cam") is not None or data["kind"] == "sim":
        raise CameraSetupError(where, "hand_eye, but where the camera is, is known already",
                               "hand_eye or base_from_cam")
    from posebot.video.hand_eye_mount import (
        load_hand_eye_mount,  # it needs sources, which few that read a configuration do
    )

    errors = {name: _positive(data[name], name, where) for name in given if name != "robot_poses"}
    poses = folder / str(data["robot_poses"]) if "robot_poses" in given else None
    return load_hand_eye_mount(folder / str(data["hand_eye"]), poses, errors, data["kind"], where)


def _address(kind: str, source: Any, where: str, folder: Path) -> str:
    if kind == "sim":
        return ""
    if source is None:
        raise CameraSetupError(where, "source is missing", "a path, a device number, or an address")
    text = _with_environment(str(source), where)
    if kind == "device":
        if not text.isdigit():
            raise CameraSetupError(where, f"source is {text!r}", "a device number such as 0")
        return text
    if kind == "rtsp":
        if not text.startswith(_SCHEMES):
            raise CameraSetupError(where, f"source {redacted(text)} is no camera's address", "rtsp://… or http://…")
        return text
    return str(folder / text)


def _with_environment(text: str, where: str) -> str:
    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise CameraSetupError(where, f"the environment has no {match[1]}", "set it, source needs it")
        return found

    return re.sub(r"\$\{(\w+)\}", value, text)


def _intrinsics(value: Any, where: str, folder: Path) -> Intrinsics | None:
    if value is None:
        return None
    if isinstance(value, str):
        return load_intrinsics(folder / value)
    return intrinsics_from(value, f"{where}: intrinsics")


def _positive(value: Any, name: str, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise CameraSetupError(where, f"{name} is {value!r}", "a number, not negative")
    return float(value)


def _transform(value: Any, where: str) -> Array | None:
    if value is None:
        return None
    try:
        matrix = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.size != 16 or not is_transform(matrix.reshape(4, 4)):
        raise CameraSetupError(where, "base_from_cam is no rigid transform", "16 numbers, row-major 4x4, metres")
    return matrix.reshape(4, 4)
