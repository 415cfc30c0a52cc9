"""Schemas of cameras and poses in requests, and of results in responses."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from posebot.core.camera import Camera
from posebot.core.transforms import Array, is_transform, make, rotation_from_quaternion

Row4 = Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)]
Matrix4 = Annotated[list[Row4], Field(min_length=4, max_length=4)]
Vector3 = Annotated[list[FiniteFloat], Field(min_length=3, max_length=3)]
Quaternion = Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)]
_METRES = 1e4


class RequestModel(BaseModel):
    """Base of request bodies: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class CameraIn(RequestModel):
    """Intrinsics of exactly this image: either `K`, or `fx`, `fy`, `cx`, `cy`."""

    K: Annotated[list[FiniteFloat] | None, Field(min_length=9, max_length=9, description="row-major 3x3, pixels; "
                                                 "pixel centres at integer coordinates")] = None
    fx: FiniteFloat | None = Field(default=None, description="pixels")
    fy: FiniteFloat | None = Field(default=None, description="pixels")
    cx: FiniteFloat | None = Field(default=None, description="pixels")
    cy: FiniteFloat | None = Field(default=None, description="pixels")
    width: int = Field(ge=1, le=32767, description="pixels")
    height: int = Field(ge=1, le=32767, description="pixels")
    distortion: list[FiniteFloat] = Field(default=[], max_length=14,
                                          description="OpenCV's coefficients: 0, 4, 5, 8, 12 or 14 numbers")

    def camera(self) -> Camera:
        """Raises InputError where these are not valid intrinsics."""
        from posebot.core.errors import IntrinsicsError

        pinhole = (self.fx, self.fy, self.cx, self.cy)
        if (self.K is None) == all(number is None for number in pinhole):
            raise IntrinsicsError("camera", "K or fx, fy, cx, cy", "exactly one of the two")
        if self.K is not None:
            return Camera(np.array(self.K).reshape(3, 3), self.width, self.height, np.array(self.distortion))
        if any(number is None for number in pinhole):
            raise IntrinsicsError("camera", "one of fx, fy, cx, cy is missing", "all four")
        K = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=float)
        return Camera(K, self.width, self.height, np.array(self.distortion))


class PoseIn(RequestModel):
    """A rigid transform, metres: either `matrix`, or `position_m` with `quaternion_xyzw`."""

    matrix: Matrix4 | None = Field(default=None, description="4x4, rows; the last one 0 0 0 1")
    position_m: Vector3 | None = Field(default=None, description="metres")
    quaternion_xyzw: Quaternion | None = Field(default=None, description="x, y, z, w as in ROS; need not be normalized")

    @model_validator(mode="after")
    def _rigid(self) -> PoseIn:
        parts = (self.position_m is None, self.quaternion_xyzw is None)
        if parts[0] != parts[1] or (self.matrix is None) == parts[0]:
            raise ValueError("give matrix, or position_m and quaternion_xyzw")
        if self.quaternion_xyzw is not None and not 1e-6 < np.linalg.norm(self.quaternion_xyzw) < 1e6:
            raise ValueError("quaternion_xyzw has no usable length")
        pose = self.transform()
        if not is_transform(pose) or np.abs(pose[:3, 3]).max() > _METRES:
            raise ValueError("not a rigid transform (4x4, orthonormal rotation, metres)")
        return self

    def transform(self) -> Array:
        """4x4 metres."""
        if self.quaternion_xyzw is not None:
            return make(rotation_from_quaternion(self.quaternion_xyzw), self.position_m)
        return np.array(self.matrix, dtype=float)


class InferIn(RequestModel):
    """One image. In a multipart form `image` and `depth` are files, the others text or JSON."""

    image: str = Field(description="PNG, JPEG or WebP, base64")
    camera: CameraIn
    depth: str | None = Field(default=None, description="16-bit PNG registered to the image, base64; 0 = missing")
    depth_scale: Annotated[float, Field(ge=1e-4, le=1000, description="millimetres per unit of `depth`")] = 1.0
    base_from_cam: PoseIn | None = Field(default=None, description="the camera's pose in the robot's base frame")
    frame_id: str = Field(default="", max_length=200, description="returned in the result")
    bundle: str | None = Field(default=None, max_length=64, description="name of a model; default: the active one")


class CameraOut(BaseModel):
    """Intrinsics of the undistorted image, which boxes and poses refer to."""

    K: list[float] = Field(description="row-major 3x3, pixels")
    distortion: list[float]
    width: int
    height: int


class Region90Out(BaseModel):
    """Radii that contain the true pose with a probability of 90 %."""

    translation_mm: float
    rotation_deg: float = Field(description="modulo the object's symmetry")


class SigmaOut(BaseModel):
    """Standard deviations."""

    translation_mm: float
    rotation_deg: float


class AlternativeOut(BaseModel):
    """Another pose that explains the image nearly as well."""

    cam_from_obj: list[list[float]] = Field(description="4x4, metres, OpenCV camera frame")
    base_from_obj: list[list[float]] | None = Field(description="4x4, metres, robot's base frame")
    gap: float = Field(description="difference of its fit (0..1) to that of the selected pose")


class EstimateOut(BaseModel):
    """One object."""

    label: str
    obj_id: int
    track_id: int | None = Field(description="number of the physical object, stable over the frames of a stream")
    status: Literal["ok", "low_certainty", "no_pose"]
    reason: str = Field(description="a sentence; empty when ok")
    score: float = Field(description="the detector's, 0..1")
    box_xyxy: list[float] = Field(description="pixels, continuous; pixel centres at integer coordinates")
    position_m: list[float] | None = Field(description="object's origin: base frame where known, else camera frame")
    cam_from_obj: list[list[float]] | None = Field(description="4x4, metres, OpenCV camera frame")
    base_from_obj: list[list[float]] | None = Field(description="4x4, metres, robot's base frame")
    covariance: list[list[float]] | None = Field(description="6x6 of cam_from_obj; x, y, z, rx, ry, rz; metres and "
                                                 "radians, along the camera's axes (ROS PoseWithCovariance)")
    p_correct: float | None = Field(description="calibrated P(every surface point within 10 % of the diameter); null "
                                    "where the model was never calibrated")
    fit: float = Field(default=0.0, description="how well the pose explains the image, 0..1; 0 without a pose")
    region90: Region90Out | None
    alternatives: list[AlternativeOut] = Field(default=[], description="clearly different poses that this view does "
                                               "not exclude, best first; empty where the image, or fusion, decides")
    views: int = Field(description="frames fused into this pose")
    source: str = Field(default="detected", description="`detected`: found in this image; further values may be added")
    budget: dict[str, SigmaOut] | None = Field(default=None, description="error of a fused pose in the base frame by "
                                               "cause: vision, hand_eye, kinematics, latency (if known) and total")


class ModelVersionOut(BaseModel):
    """The bundle that computed a result."""

    name: str
    version: str


class FrameResultOut(BaseModel):
    """The result of one image: a line of results.jsonl."""

    schema_: Literal[1] = Field(alias="schema")
    frame_id: str
    captured_at: float = Field(description="seconds since 1970, UTC")
    age_ms: float = Field(description="from captured_at until the result was ready")
    stage_ms: dict[str, float] = Field(description="milliseconds of each stage, and their total")
    dropped: int = Field(description="frames dropped since the previous result because newer ones arrived")
    model: ModelVersionOut | None = Field(default=None, description="name and version of the bundle")
    base_from_cam: list[list[float]] | None = Field(default=None, description="4x4, metres; null where unknown")
    camera: CameraOut
    estimates: list[EstimateOut]
    nothing_found: str = Field(default="", description="where there are no estimates: why that may be so")
