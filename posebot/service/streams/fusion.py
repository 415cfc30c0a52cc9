"""Fusion over time. It belongs to a stream, not to a replica: any replica may have processed the previous frame."""

from __future__ import annotations

from posebot.core.frame import Frame
from posebot.core.results import FrameResult, PoseEstimate
from posebot.models.bundle import Bundle
from posebot.models.calibration import ModeCalibration
from posebot.stages.fuse import CameraError, Fuser


class StreamFusion:
    """Fuses the estimates of successive frames of one stream, as `Pipeline` does with `fuse=True`.

    Args:
        error: uncertainty of the camera's pose; None: exact.
    """

    def __init__(self, bundle: Bundle, error: CameraError | None = None) -> None:
        self._fuser = Fuser(bundle.objects, error=error)
        self._mode: ModeCalibration | None = None
        self._calibration = bundle.manifest.calibration

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """The result with fused poses; unchanged where the frame has no `base_from_cam`."""
        self._mode = mode = self._calibration.rgb if frame.depth is None else self._calibration.depth
        return result.replace(estimates=tuple(self._fuser(frame, result.estimates, mode)))

    def remembered(self, result: FrameResult) -> tuple[PoseEstimate, ...]:
        """Objects on the map that `result`, the latest, does not show: out of view, occluded, or missed."""
        shown = {estimate.track_id for estimate in result.estimates}
        return tuple(entry for entry in self._fuser.map(self._mode) if entry.track_id not in shown)
