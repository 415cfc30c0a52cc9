"""Streams over the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from posebot.service.web.schemas.poses import EstimateOut, FrameResultOut, PoseIn, Request

State = Literal["stopped", "starting", "running", "stale", "reconnecting", "failed"]
ErrorCode = Literal["auth_failed", "timeout", "not_found", "refused", "codec", "disconnected", "bad_input", "engine",
                    "restarted"]


class StreamError(BaseModel):
    """Why a stream does not run, or did not for a while. Never holds credentials."""

    code: ErrorCode
    message: str
    since: float = Field(description="seconds since 1970")
    attempt: int = Field(description="how often in a row it was tried in vain")
    retry_at: float | None = Field(description="seconds since 1970; null: not waiting")


class Recording(BaseModel):
    """What has been recorded of a stream and is kept."""

    files: list[str] = Field(description="names in the stream's folder of the service's state")
    bytes: int


class StreamStatus(BaseModel):
    """One stream now."""

    name: str
    kind: Literal["file", "folder", "video", "device", "rtsp", "sim"]
    state: State
    error: StreamError | None = None
    bundle: str | None = Field(default=None, description="name and version of the newest result's model")
    fps: float = Field(default=0.0, description="results a second over the last ones")
    frames: int = Field(default=0, description="results since the stream's process started")
    dropped: int = Field(default=0, description="frames skipped because newer ones came")
    skipped: int = Field(default=0, description="frames that could not be used")
    age_ms: float | None = Field(default=None, description="of the newest result's frame, now")
    frame_id: str | None = None
    started_at: float | None = Field(default=None, description="seconds since 1970")
    restarts: int = Field(default=0, description="how often the stream's process died and was started again")
    robot_pose: Literal["none", "static", "simulated", "table", "pushed"] = "none"
    stage_ms: dict[str, float] = Field(default={}, description="medians of the last results")
    recording: Recording | None = None


class StreamList(BaseModel):
    """All streams of the configuration."""

    streams: list[StreamStatus]


class StreamResult(BaseModel):
    """The newest result of a stream."""

    type: Literal["result"] = "result"
    stream: str
    sequence: int = Field(description="grows by one with every result of the stream's process")
    sent_at: float = Field(description="the server's clock when this was sent, seconds since 1970")
    bundle: str = Field(description="name and version of the model")
    base_from_cam: list[list[float]] | None = Field(description="4x4 metres, at the time of the picture")
    result: FrameResultOut
    remembered: list[EstimateOut] = Field(default=[], description="what lies there besides, by earlier views: out of "
                                          "the picture, hidden, or not found this time")


class RobotPose(Request):
    """Where the robot's hand is. With `gripper_from_cam` in the configuration the camera's pose follows; without, the
    pose is taken for the camera's own."""

    base_from_gripper: PoseIn
    stamp: float | None = Field(default=None, ge=0, le=1e11, description="seconds since 1970; default: now")
