"""Errors: one line, whatever went in, and whole after a trip between processes."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import ImageError, InputError, MeshError, PosebotError


@given(st.text(), st.text(), st.text())
def test_messages_are_one_line(where: str, problem: str, expected: str) -> None:
    assert len(str(InputError(where, problem, expected)).splitlines()) <= 1


def test_message_says_where_what_and_what_would_be_right() -> None:
    error = InputError("scene_camera.json: image 12", "cam_K has 8 numbers", "9 are needed")
    assert str(error) == "scene_camera.json: image 12: cam_K has 8 numbers; 9 are needed"
    assert str(InputError("a.png", "is empty")) == "a.png: is empty"
    assert isinstance(error, PosebotError)


def test_errors_survive_pickling_as_ray_and_multiprocessing_do() -> None:
    error = pickle.loads(pickle.dumps(MeshError("a", "b", "c")))
    assert (error.where, error.problem, error.expected) == ("a", "b", "c")
    assert (type(error), error.code) == (MeshError, "bad_mesh")
    assert str(error) == "a: b; c"
    assert pickle.loads(pickle.dumps(InputError("a", "b", code="port_in_use"))).code == "port_in_use"
    assert pickle.loads(pickle.dumps(PosebotError("a", code="platform_lost"))).code == "platform_lost"


def test_an_option_at_fault_has_a_code_of_its_own() -> None:
    assert InputError("--fps", "is 0").code == "bad_option"
    assert InputError("--port", "is taken", code="port_in_use").code == "port_in_use"
    assert InputError("a.png", "is empty").code == "bad_input"


def test_the_place_can_be_made_more_exact() -> None:
    error = ImageError("line", "is cut off", "a whole file", code="not_readable").at("a.png: line 3")
    assert str(error) == "a.png: line 3: is cut off; a whole file"
    assert (type(error), error.code) == (ImageError, "not_readable")
