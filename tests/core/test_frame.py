"""A frame refuses arrays that do not belong together."""

from typing import Any

import numpy as np
import pytest

from posebot.core.camera import Camera
from posebot.core.errors import InputError
from posebot.core.frame import Frame

CAMERA = Camera(np.array([[100.0, 0, 31.5], [0, 100, 23.5], [0, 0, 1]]), 64, 48)
RGB = np.zeros((48, 64, 3), dtype=np.uint8)


def test_a_frame_with_everything() -> None:
    depth = np.ones((48, 64), dtype=np.float32)
    frame = Frame(RGB, CAMERA, depth, np.eye(4), "wrist/7", 12.5)
    assert (frame.frame_id, frame.captured_at) == ("wrist/7", 12.5)
    assert Frame(RGB, CAMERA).depth is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rgb": RGB[..., 0]}, "rgb is uint8 (48, 64); uint8 (height, width, 3)"),
        ({"rgb": RGB.astype(float)}, "rgb is float64"),
        ({"rgb": np.zeros((48, 64, 4), dtype=np.uint8)}, "(48, 64, 4)"),
        ({"rgb": RGB[:40]}, "image is 64x40, camera says 64x48"),
        ({"depth": np.ones((24, 32), dtype=np.float32)}, "depth is float32 (24, 32)"),
        ({"depth": np.ones((48, 64), dtype=np.uint16)}, "depth is uint16"),
        ({"base_from_cam": np.diag([1000.0, 1000.0, 1000.0, 1.0])}, "base_from_cam is not a rigid transform"),
    ],
)
def test_wrong_arrays_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Frame(**{"rgb": RGB, "camera": CAMERA, "frame_id": "wrist/7", **changes})
    assert "frame wrist/7" in str(caught.value)
    assert message in str(caught.value)
