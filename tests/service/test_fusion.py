"""What a stream remembers of what its pictures no longer show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posebot.core.frame import Frame
from posebot.core.results import FrameResult, PoseEstimate
from posebot.core.transforms import make
from posebot.models.bundle import Bundle
from posebot.service.streams.fusion import StreamFusion
from posebot.stages.fuse import CameraError
from tests.video.conftest import bundle_dir  # noqa: F401
from tests.video.plumbing import CAM_FROM_BRICK, CAMERA, HEIGHT, WIDTH

AWAY = make(translation=[2.0, 0, 0])


def look(fusing: StreamFusion, base_from_cam: np.ndarray, *estimates: PoseEstimate) -> FrameResult:
    frame = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), CAMERA, None, base_from_cam)
    return fusing(frame, FrameResult("a/0", 0.0, CAMERA, estimates))


def test_what_is_out_of_the_picture_is_remembered(bundle_dir: Path) -> None:  # noqa: F811
    fusing = StreamFusion(Bundle.open(bundle_dir), CameraError(hand_eye=np.diag([1e-6] * 6)))
    brick = PoseEstimate("brick", 1, 0.9, np.zeros(4), "low_certainty", "", CAM_FROM_BRICK,
                         covariance=np.diag([1e-6] * 6), p_correct=0.6)
    shown = look(fusing, np.eye(4), brick)
    assert shown.estimates[0].budget.keys() == {"vision", "hand_eye", "total"}
    assert fusing.remembered(shown) == ()
    elsewhere = look(fusing, AWAY)
    assert elsewhere.estimates == ()
    (kept,) = fusing.remembered(elsewhere)
    assert kept.track_id == shown.estimates[0].track_id
    np.testing.assert_allclose(kept.base_from_obj, CAM_FROM_BRICK, atol=1e-9)
    np.testing.assert_allclose(kept.cam_from_obj[:3, 3], CAM_FROM_BRICK[:3, 3] - AWAY[:3, 3], atol=1e-9)
