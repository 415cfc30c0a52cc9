"""Schemas of streams."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from posebot.service.web.schemas.poses import EstimateOut, FrameResultOut, PoseIn, RequestModel

State = Literal["stopped", "starting", "running", "stale", "reconnecting", "failed"]
ErrorCode = Literal["auth_failed", "timeout", "not_found", "refused", "codec", "disconnected", "bad_input", "engine",
                    "restarted"]


class StreamError(BaseModel):
    """Why a stream does not work. Never holds credentials."""

    code: ErrorCode
    message: str
    since: float = Field(description="seconds since 1970")
    attempt: int = Field(description="consecutive failed attempts")
    retry_at: float | None = Field(description="time of the next attempt, seconds since 1970; null: none is due")


class Recording(BaseModel):
    """Recordings of a stream."""

    files: list[str] = Field(description="file names in `streams/NAME/` of the service's state folder")
    bytes: int


class StreamStatus(BaseModel):
    """The present state of a stream."""

    name: str
    kind: Literal["file", "folder", "video", "device", "rtsp", "sim"]
    state: State
    error: StreamError | None = None
    bundle: str | None = Field(default=None, description="name and version of the newest result's model")
    fps: float = Field(default=0.0, description="results a second, over the last ten seconds")
    frames: int = Field(default=0, description="results since the stream's process started")
    dropped: int = Field(default=0, description="frames dropped because newer ones arrived")
    skipped: int = Field(default=0, description="frames that could not be used")
    age_ms: float | None = Field(default=None, description="present age of the newest result's frame")
    frame_id: str | None = None
    started_at: float | None = Field(default=None, description="seconds since 1970")
    restarts: int = Field(default=0, description="how often the stream's process died and was restarted")
    robot_pose: Literal["none", "static", "simulated", "table", "pushed"] = "none"
    stage_ms: dict[str, float] = Field(default={}, description="milliseconds of each stage, median of the last results")
    recording: Recording | None = None


class StreamList(BaseModel):
    """All streams of the configuration."""

    streams: list[StreamStatus]


class StreamResult(BaseModel):
    """The newest result of a stream."""

    type: Literal["result"] = "result"
    stream: str
    sequence: int = Field(description="number of the result, from 1, since the stream's process started")
    sent_at: float = Field(description="time of sending by the server's clock, seconds since 1970")
    bundle: str = Field(description="name and version of the model")
    base_from_cam: list[list[float]] | None = Field(description="4x4, metres, at the time of the image")
    result: FrameResultOut
    remembered: list[EstimateOut] = Field(default=[], description="objects on the map that this frame does not show: "
                                          "out of view, occluded, or missed")


class RobotPose(RequestModel):
    """Pose of the robot's gripper. With a hand-eye calibration or `gripper_from_cam` in the configuration the camera's
    pose follows from it; without, it is taken as the camera's own pose."""

    base_from_gripper: PoseIn
    stamp: float | None = Field(default=None, ge=0, le=1e11, description="seconds since 1970; default: now")
