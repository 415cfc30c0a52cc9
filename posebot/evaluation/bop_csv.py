"""BOP's csv of pose estimates: `scene_id,im_id,obj_id,score,R,t,time`, millimetres on disk, metres here.

R is row-major, numbers in R and t are separated by spaces, `time` is seconds for the whole image (-1: unknown).
Format: https://bop.felk.cvut.cz/challenges/bop-challenge-2019/#formatofresults
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posebot.core.errors import MissingFileError, ResultFileError
from posebot.core.files import write_atomic
from posebot.core.transforms import Array, is_transform, make

HEADER = "scene_id,im_id,obj_id,score,R,t,time"
_MM = 1e-3
_TIME_TOLERANCE = 1e-3  # seconds, as the reference toolkit


@dataclass(frozen=True)
class Row:
    """One estimate. cam_from_obj: 4x4, metres. seconds: run time for the whole image, -1 where unknown."""

    scene_id: int
    im_id: int
    obj_id: int
    score: float
    cam_from_obj: Array
    seconds: float = -1.0


def read_csv(path: str | Path) -> list[Row]:
    """The estimates of a BOP csv, in the file's order. The header line is optional, as in the reference toolkit.

    Raises:
        InputError: with file and line: not seven fields, not a number, not a rigid pose, metres instead of millimetres,
            or two times for one image.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MissingFileError(path, "no such file", "a BOP csv of estimates") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ResultFileError(path, f"not readable ({error})", f"a text file with the header {HEADER}") from None
    rows: list[Row] = []
    times: dict[tuple[int, int], float] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and line.replace(" ", "") == HEADER):
            continue
        row = _row(line, f"{path}: line {number}")
        first = times.setdefault((row.scene_id, row.im_id), row.seconds)
        if abs(first - row.seconds) > _TIME_TOLERANCE:
            raise ResultFileError(f"{path}: line {number}", f"time is {row.seconds}",
                                  f"{first}, as on the first line of scene {row.scene_id}, image {row.im_id}")
        rows.append(row)
    _check_unit(rows, path)
    return rows


def write_csv(path: str | Path, rows: Iterable[Row]) -> None:
    """Write a BOP csv atomically. Poses keep all digits."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, "".join(f"{line}\n" for line in (HEADER, *map(_line, rows))))


def _row(line: str, where: str) -> Row:
    fields = line.split(",")
    if len(fields) != 7:
        raise ResultFileError(where, f"{len(fields)} fields", f"7: {HEADER}")
    scene_id, im_id, obj_id = (_integer(field, name, where)
                               for field, name in zip(fields, ("scene_id", "im_id", "obj_id")))
    score, seconds = _floats(fields[3], "score", 1, where)[0], _floats(fields[6], "time", 1, where)[0]
    rotation = np.reshape(_floats(fields[4], "R", 9, where), (3, 3))
    pose = make(rotation, np.multiply(_floats(fields[5], "t", 3, where), _MM))
    if not is_transform(pose):
        raise ResultFileError(where, f"R = {fields[4].strip()} is not a rotation",
                              "orthonormal, row-major, determinant +1")
    return Row(scene_id, im_id, obj_id, score, pose, seconds)


def _integer(text: str, name: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise ResultFileError(where, f"{name} is {text.strip()!r}", "an integer >= 0")
    return int(text)


def _floats(text: str, name: str, count: int, where: str) -> list[float]:
    words = text.split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise ResultFileError(where, f"{name} is {text.strip()!r}", f"{count} numbers separated by spaces") from None
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ResultFileError(where, f"{name} has {len(numbers)} numbers: {text.strip()!r}", f"{count} finite numbers")
    return numbers


def _check_unit(rows: Sequence[Row], path: str | Path) -> None:
    """Poses that are all within 20 mm of the camera are in metres."""
    if rows and max(float(np.linalg.norm(row.cam_from_obj[:3, 3])) for row in rows) < 0.02:
        raise ResultFileError(path, "every t is shorter than 20", "millimetres; these look like metres")


def _line(row: Row) -> str:
    rotation = " ".join(repr(float(value)) for value in row.cam_from_obj[:3, :3].ravel())
    translation = " ".join(repr(float(value)) for value in row.cam_from_obj[:3, 3] * 1000)
    return f"{row.scene_id},{row.im_id},{row.obj_id},{row.score:.9g},{rotation},{translation},{row.seconds:.6g}"
