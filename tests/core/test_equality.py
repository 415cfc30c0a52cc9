"""Values that hold arrays compare with `==`, print readably, and are no keys."""

from dataclasses import replace

import numpy as np
import pytest

from posebot.core.camera import Camera
from posebot.core.equality import equal
from posebot.core.frame import Frame
from posebot.core.objects import ContinuousSymmetry, Landmarks, Mesh, ObjectModel
from posebot.core.results import Alternative, FrameResult, PoseEstimate, Region90

K = np.array([[572.4, 0, 31.5], [0, 573.6, 23.5], [0, 0, 1]])


def _camera() -> Camera:
    return Camera(K.copy(), 64, 48)


def _frame() -> Frame:
    return Frame(np.zeros((48, 64, 3), np.uint8), _camera(), np.full((48, 64), 0.5, np.float32), np.eye(4), "a/1")


def _mesh() -> Mesh:
    return Mesh(np.eye(3), np.array([[0, 1, 2]], np.int32), np.zeros((3, 3), np.uint8))


def _model() -> ObjectModel:
    landmarks = Landmarks(np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32), np.zeros((2, 128), np.uint8))
    return ObjectModel(3, "mug", _mesh(), 0.1213, np.zeros(3), np.ones(3), (np.eye(4),),
                       (ContinuousSymmetry(np.array([0, 0, 1.0])),), landmarks)


def _estimate() -> PoseEstimate:
    return PoseEstimate("mug", 3, 0.9, np.zeros(4), cam_from_obj=np.eye(4), region90=Region90(1.0, 2.0),
                        alternatives=(Alternative(np.eye(4), 0.1),), budget={"vision": (1.0, 2.0)},
                        mask=np.ones((2, 2), bool))


def _result() -> FrameResult:
    return FrameResult("a/1", 1.0, _camera(), (_estimate(),), 3.0, {"total": 2.0}, base_from_cam=np.eye(4))


@pytest.mark.parametrize(("build", "change"), [
    (_camera, {"K": K + np.eye(3) * [1, 1, 0]}),
    (_frame, {"rgb": np.ones((48, 64, 3), np.uint8)}),
    (_frame, {"depth": None}),
    (_mesh, {"vertices": np.ones((3, 3))}),
    (_model, {"symmetries_discrete": ()}),
    (_model, {"symmetries_continuous": (ContinuousSymmetry(np.array([0, 1.0, 0])),)}),
    (_estimate, {"alternatives": (Alternative(np.eye(4), 0.2),)}),
    (_estimate, {"cam_from_obj": None}),
    (_result, {"estimates": ()}),
    (_result, {"base_from_cam": np.zeros((4, 4))}),
])
def test_equal_by_content(build, change) -> None:  # type: ignore[no-untyped-def]
    one, other = build(), build()
    assert one == one and one == other and (one != other) is False
    assert one != replace(other, **change)
    assert one != "another kind of thing"
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_masks_are_not_compared() -> None:
    assert _estimate() == _estimate().replace(mask=None)


def test_arrays_of_other_shapes_and_not_a_number() -> None:
    assert equal(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]))
    assert not equal(np.zeros(3), np.zeros((1, 3)))
    assert not equal(np.array(["a"]), np.zeros(1))
    assert not equal({"a": np.zeros(1)}, {"b": np.zeros(1)})
    assert equal([np.zeros(1)], (np.zeros(1),))


def test_people_can_read_them() -> None:
    assert repr(_camera()) == "Camera(64x48, fx=572.4, fy=573.6, cx=31.5, cy=23.5)"
    assert repr(Camera(K, 64, 48, np.array([0.1, 0, 0, 0]))).endswith("distortion=[0.1, 0.0, 0.0, 0.0])")
    assert repr(_frame()) == "Frame('a/1', 64x48, depth 0.500..0.500 m, base_from_cam)"
    assert repr(replace(_frame(), depth=np.zeros((48, 64), np.float32), base_from_cam=None)) == \
        "Frame('a/1', 64x48, depth empty)"
    assert repr(_model()) == \
        "ObjectModel(3 'mug', diameter=0.121 m, Mesh(3 vertices, 1 triangles, vertex colours), symmetric, Landmarks(2))"
