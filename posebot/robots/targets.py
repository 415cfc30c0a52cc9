"""Calibration targets: the printed pattern and its points.

The frame of a target lies on the print: x to the right, y down, z into the board, metres. Its origin is the upper left
corner of the board (ChArUco, marker grid), the first inner corner or circle (chessboard, circles), or the centre of
a tag.

A target is written as one string, lengths always with a unit (mm, cm, m or in):

    charuco:7x5:40mm:30mm:DICT_4X4_50     squares across x down, square side, marker side, dictionary
    chessboard:9x6:25mm                   inner corners across x down, square side
    apriltag:36h11:48mm:id0               family, side of the black square; id optional (then: the only visible tag)
    aruco:DICT_5X5_100:48mm:id7           a single ArUco marker, likewise
    markers:4x3:40mm:10mm:DICT_4X4_50     grid of markers, their side and the gap (OpenCV GridBoard)
    circles:10x10:25.4mm                  circles across x down, pitch; a larger circle in a corner marks the origin
    acircles:4x11:20mm                    asymmetric circle grid as in OpenCV; pitch = distance of neighbouring rows

or as a YAML file with the same fields by name: `{type: charuco, size: 7x5, square: 40mm, marker: 30mm,
dictionary: DICT_4X4_50}`, or `{target: "charuco:7x5:..."}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import TargetError
from posebot.core.transforms import Array

FIELDS = {
    "charuco": ("size", "square", "marker", "dictionary", "legacy"),
    "chessboard": ("size", "square"),
    "apriltag": ("dictionary", "marker", "id"),
    "aruco": ("dictionary", "marker", "id"),
    "markers": ("size", "marker", "gap", "dictionary"),
    "circles": ("size", "pitch"),
    "acircles": ("size", "pitch"),
}
_OPTIONAL = {"id", "legacy"}
_METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "in": 0.0254}
EXPECTED = "for example charuco:7x5:40mm:30mm:DICT_4X4_50, chessboard:9x6:25mm, apriltag:36h11:48mm, circles:10x10:25mm"


@dataclass(frozen=True)
class Target:
    """One calibration target.

    Attributes:
        kind: a key of `FIELDS`. columns, rows: as in the string (1 x 1 for a single tag).
        pitch: metres from square to square, marker to marker or circle to circle. marker: side of a marker, metres.
        dictionary: OpenCV's name of it, "" where there are no markers. marker_id: of a single tag, None = any.
        legacy: a ChArUco board as OpenCV printed it before 4.6 (matters for an even number of rows).
    """

    kind: str
    columns: int
    rows: int
    pitch: float
    marker: float = 0.0
    dictionary: str = ""
    marker_id: int | None = None
    legacy: bool = False

    def points(self) -> Array:
        """All points (N, 3) in the target's frame, metres, in the order of the detector's ids."""
        if self.kind in ("apriltag", "aruco"):
            return _square(self.marker) - [self.marker / 2, self.marker / 2, 0]
        if self.kind == "markers":
            corners = _lattice(self.columns, self.rows)[:, None] * self.pitch + _square(self.marker)
            return corners.reshape(-1, 3)
        if self.kind == "charuco":
            return (_lattice(self.columns - 1, self.rows - 1) + np.array([1, 1, 0])) * self.pitch
        grid = _lattice(self.columns, self.rows)
        if self.kind == "acircles":
            grid[:, 0] = 2 * grid[:, 0] + grid[:, 1] % 2
        return grid * self.pitch

    @property
    def rotations(self) -> int:
        """Order of the rotational symmetry of the pattern: 1, 2 (180 degrees) or 4 (90 degrees).

        Circle grids are assumed to have no origin mark; the detector finds it if there is one.
        """
        if self.kind == "chessboard" and (self.columns + self.rows) % 2 == 0:
            return 4 if self.columns == self.rows and self.columns % 2 == 1 else 2
        if self.kind == "circles":
            return 4 if self.columns == self.rows else 2
        return 2 if self.kind == "acircles" and self.rows % 2 == 0 else 1


def parse_target(text: str) -> Target:
    """A target from its string, or from the YAML file that the string names.

    Raises:
        InputError: the string or the file is not as described above.
    """
    if text.endswith((".yaml", ".yml", ".json")):
        text = _from_file(Path(text))
    where = f"--target {text}"
    kind, *values = text.split(":")
    fields = FIELDS.get(kind)
    if fields is None:
        raise TargetError(where, f"unknown target {kind!r}", EXPECTED)
    needed = [name for name in fields if name not in _OPTIONAL]
    if not len(needed) <= len(values) <= len(fields):
        form = ":".join(name.upper() if name in needed else f"[{name.upper()}]" for name in fields)
        raise TargetError(where, f"{len(values)} fields after {kind}", f"{kind}:{form}; {EXPECTED}")
    return _build(kind, dict(zip(fields, values)), where)


def _build(kind: str, given: dict[str, str], where: str) -> Target:
    columns, rows = _size(given.get("size", "1x1"), where)
    marker = _length(given["marker"], where) if "marker" in given else 0.0
    pitch = next((_length(given[name], where) for name in ("square", "pitch") if name in given), marker)
    if kind == "markers":
        pitch = marker + _length(given["gap"], where)
    if kind == "charuco" and not marker < pitch:
        raise TargetError(where, f"markers of {marker * 1e3:g} mm in squares of {pitch * 1e3:g} mm", "smaller markers")
    lowest = {"charuco": 3, "chessboard": 3, "circles": 3, "acircles": 3}.get(kind, 1)
    if min(columns, rows) < lowest:
        raise TargetError(where, f"a {kind} of {columns}x{rows}", f"at least {lowest}x{lowest}")
    dictionary = _dictionary(given["dictionary"], kind, where) if "dictionary" in given else ""
    return Target(kind, columns, rows, pitch, marker, dictionary, _identity(given.get("id"), where),
                  _legacy(given.get("legacy"), where))


def _from_file(path: Path) -> str:
    import yaml

    try:
        data: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TargetError(path, f"not readable as YAML ({str(error)[:80]})", EXPECTED) from None
    if isinstance(data, dict) and isinstance(data.get("target"), str):
        return str(data["target"])
    fields = FIELDS.get(str(data.get("type"))) if isinstance(data, dict) else None
    if fields is None:
        raise TargetError(path, "is not a target", f"type: one of {', '.join(FIELDS)}; {EXPECTED}")
    missing = [name for name in fields if name not in data and name not in _OPTIONAL]
    if missing:
        raise TargetError(path, f"{', '.join(missing)} missing", f"{data['type']} needs {', '.join(fields)}")
    return ":".join([str(data["type"]), *(str(data[name]) for name in fields if name in data)])


def _size(text: str, where: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
    if match is None:
        raise TargetError(where, f"size is {text!r}", "across x down, such as 7x5")
    return int(match[1]), int(match[2])


def _length(text: str, where: str) -> float:
    match = re.fullmatch(r"([0-9.]+)(mm|cm|m|in)", text)
    try:
        value = float(match[1]) * _METRES[match[2]] if match else 0.0
    except ValueError:
        value = 0.0
    if not 1e-4 <= value <= 10:
        raise TargetError(where, f"length {text!r}", "a number with its unit, such as 25mm, 2.5cm, 0.025m or 1in")
    return value


def _dictionary(text: str, kind: str, where: str) -> str:
    import cv2

    name = text.upper().removeprefix("DICT_")
    if kind == "apriltag":
        name = f"APRILTAG_{name.removeprefix('APRILTAG_').removeprefix('TAG')}"
    known = sorted({key[5:].upper() for key in dir(cv2.aruco) if key.startswith("DICT_")})
    if name not in known:
        fit = [entry for entry in known if entry.startswith("APRILTAG") == (kind == "apriltag")]
        raise TargetError(where, f"dictionary {text!r} is unknown", f"one of {', '.join(fit)}".replace("APRILTAG_", ""))
    return f"DICT_{name}"


def _identity(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"(?:id)?(\d{1,4})", text)
    if match is None:
        raise TargetError(where, f"id is {text!r}", "such as id0")
    return int(match[1])


def _legacy(text: str | None, where: str) -> bool:
    if text not in (None, "legacy", "True", "False"):
        raise TargetError(where, f"{text!r} after the dictionary", "nothing, or legacy (printed by OpenCV before 4.6)")
    return text in ("legacy", "True")


def _lattice(columns: int, rows: int) -> Array:
    """Whole numbers (columns * rows, 3) with x fastest, z = 0."""
    y, x = np.mgrid[:rows, :columns]
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1).astype(float)


def _square(side: float) -> Array:
    """Corners (4, 3), clockwise from the upper left one."""
    corners: NDArray[np.float64] = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float)
    return corners * side
