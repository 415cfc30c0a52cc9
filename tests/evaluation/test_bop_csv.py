"""BOP's csv: what is written reads back, and each mistake is named with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import InputError
from posebot.core.transforms import make, rotation_from_vector
from posebot.evaluation.bop_csv import HEADER, Row, read_csv, write_csv

GOOD = "2,8,1,0.9,1 0 0 0 1 0 0 0 1,10 20 700,0.25"
numbers = st.floats(-3, 3)


@given(vector=st.tuples(numbers, numbers, numbers), shift=st.tuples(numbers, numbers, st.floats(0.2, 3)),
       score=st.floats(0, 1), seconds=st.sampled_from([-1.0, 0.0, 0.123]))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, vector: tuple[float, ...], shift: tuple[float, ...],
                    score: float, seconds: float) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    row = Row(48, 1, 13, score, make(rotation_from_vector(vector), shift), seconds)
    write_csv(path, [row, row])
    first, second = read_csv(path)
    np.testing.assert_allclose(first.cam_from_obj, row.cam_from_obj, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(first.cam_from_obj[:3, :3], row.cam_from_obj[:3, :3])
    assert (first.scene_id, first.im_id, first.obj_id, first.seconds) == (48, 1, 13, seconds)
    assert second.score == pytest.approx(score, abs=1e-8)


def test_as_bop_writes_it(tmp_path: Path) -> None:
    write_csv(tmp_path / "deep" / "out.csv", [Row(2, 8, 1, 0.9, make(translation=[0.01, 0.02, 0.7]), 0.25)])
    assert (tmp_path / "deep" / "out.csv").read_text() == (
        f"{HEADER}\n2,8,1,0.9,1.0 0.0 0.0 0.0 1.0 0.0 0.0 0.0 1.0,10.0 20.0 700.0,0.25\n")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out.csv"]


@pytest.mark.parametrize(
    "text", [f"{HEADER}\n{GOOD}\n", GOOD, f"\ufeff{HEADER}\r\n{GOOD}\r\n\r\n", f" {HEADER}\n{GOOD} "])
def test_with_and_without_header_and_foreign_line_ends(tmp_path: Path, text: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(text.encode())
    row, = read_csv(path)
    np.testing.assert_allclose(row.cam_from_obj[:3, 3], [0.01, 0.02, 0.7])


@pytest.mark.parametrize(("line", "told"), [
    ("2,8,1,0.9,1 0 0 0 1 0 0 0 1,10 20 700", "6 fields; 7"),
    ("x,8,1,0.9,1 0 0 0 1 0 0 0 1,10 20 700,1", "scene_id is 'x'; an integer"),
    ("2,-8,1,0.9,1 0 0 0 1 0 0 0 1,10 20 700,1", "im_id is '-8'"),
    ("2,8,1.5,0.9,1 0 0 0 1 0 0 0 1,10 20 700,1", "obj_id is '1.5'"),
    ("2,8,1,nan,1 0 0 0 1 0 0 0 1,10 20 700,1", "score has 1 numbers: 'nan'; 1 finite numbers"),
    ("2,8,1,0.9,1 0 0 0 1 0 0 0,10 20 700,1", "R has 8 numbers"),
    ("2,8,1,0.9,1 0 0 0 1 0 0 0 a,10 20 700,1", "R is '1 0 0 0 1 0 0 0 a'; 9 numbers"),
    ("2,8,1,0.9,1 0 0 0 1 0 0 0 -1,10 20 700,1", "is not a rotation; orthonormal"),
    ("2,8,1,0.9,2 0 0 0 2 0 0 0 2,10 20 700,1", "is not a rotation"),
    ("2,8,1,0.9,1 0 0 0 1 0 0 0 1,10 20 inf,1", "t has 3 numbers"),
    ("2,8,1,0.9,1 0 0 0 1 0 0 0 1,10 20 700,0.5", "time is 0.5; 0.25, as on the first line of scene 2, image 8"),
])
def test_each_mistake_is_named_with_its_line(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n{line}\n")
    with pytest.raises(InputError, match=r"in\.csv: line 3: ") as error:
        read_csv(path)
    assert told in str(error.value)


def test_metres_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(GOOD.replace("10 20 700", "0.01 0.02 0.7"))
    with pytest.raises(InputError, match="millimetres; these look like metres"):
        read_csv(path)


def test_no_file_or_a_picture_instead(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(InputError, match="not readable"):
        read_csv(tmp_path / "image.csv")
