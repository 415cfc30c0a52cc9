"""Fusion over time belongs to a stream, not to a replica: any replica may have seen the frame before."""

from __future__ import annotations

from posebot.core.frame import Frame
from posebot.core.results import FrameResult, PoseEstimate
from posebot.models.bundle import Bundle
from posebot.models.calibration import ModeCalibration
from posebot.stages.fuse import CameraError, Fuser


class StreamFusion:
    """Joins the estimates of successive frames of one stream, as `Pipeline` does with `fuse=True`.

    error: how wrong the camera's pose may be; default: exact.
    """

    def __init__(self, bundle: Bundle, error: CameraError | None = None) -> None:
        self._fuser = Fuser(bundle.objects, error=error)
        self._mode: ModeCalibration | None = None
        self._calibration = bundle.manifest.calibration

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """The result with fused poses; unchanged where the frame does not say where its camera was."""
        self._mode = mode = self._calibration.rgb if frame.depth is None else self._calibration.depth
        return result.replace(estimates=tuple(self._fuser(frame, result.estimates, mode)))

    def remembered(self, result: FrameResult) -> tuple[PoseEstimate, ...]:
        """What is held to lie there besides what `result`, the latest, shows: out of the picture, hidden, or missed."""
        shown = {estimate.track_id for estimate in result.estimates}
        return tuple(entry for entry in self._fuser.map(self._mode) if entry.track_id not in shown)
