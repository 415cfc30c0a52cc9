"""Errors: one line, whatever went in, and whole after a trip between processes."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import InputError, PosebotError


@given(st.text(), st.text(), st.text())
def test_messages_are_one_line(where: str, problem: str, expected: str) -> None:
    assert len(str(InputError(where, problem, expected)).splitlines()) <= 1


def test_message_says_where_what_and_what_would_be_right() -> None:
    error = InputError("scene_camera.json: image 12", "cam_K has 8 numbers", "9 are needed")
    assert str(error) == "scene_camera.json: image 12: cam_K has 8 numbers; 9 are needed"
    assert str(InputError("a.png", "is empty")) == "a.png: is empty"
    assert isinstance(error, PosebotError)


def test_errors_survive_pickling_as_ray_and_multiprocessing_do() -> None:
    error = pickle.loads(pickle.dumps(InputError("a", "b", "c")))
    assert (error.where, error.problem, error.expected) == ("a", "b", "c")
    assert str(error) == "a: b; c"
