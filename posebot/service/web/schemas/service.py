"""Schemas of keys, models, jobs and health."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from posebot.service.web.schemas.poses import RequestModel

JobKind = Literal["train", "tune", "evaluate", "synth"]
JobStatus = Literal["pending", "running", "succeeded", "failed", "stopped"]
ArgumentValue = Annotated[str, Field(max_length=500)] | bool | int | float


class ErrorDetail(BaseModel):
    """What is wrong, where, and what is expected."""

    code: str
    message: str
    where: str | None = None
    problem: str | None = None
    expected: str | None = None


class ErrorOut(BaseModel):
    """The body of every response with a status of 400 or above."""

    error: ErrorDetail


class LoginIn(RequestModel):
    """An API key."""

    key: str = Field(max_length=200)


class IdentityOut(BaseModel):
    """The caller."""

    id: str
    name: str
    scopes: list[str]
    expires_at: float | None = Field(description="seconds since 1970; null: never")


class TicketOut(BaseModel):
    """A ticket that opens one WebSocket: `?ticket=…`."""

    ticket: str
    expires_in_s: float


class InfoOut(BaseModel):
    """About the service."""

    version: str
    profile: Literal["fused", "distributed"]
    active: str
    started_at: float
    server_time: float = Field(description="seconds since 1970")


class LiveOut(BaseModel):
    """The process responds."""

    status: Literal["live"] = "live"


class ReadyOut(BaseModel):
    """Inference works."""

    status: Literal["ready"] = "ready"
    checked_at: float = Field(description="seconds since 1970")
    ms: float = Field(description="milliseconds that the inference took")


class ModelSummary(BaseModel):
    """A model of the configuration."""

    name: str
    version: str | None
    active: bool
    objects: list[str]
    licence: str | None
    error: str | None = Field(default=None, description="why the bundle cannot be opened")


class ModelList(BaseModel):
    """All models of the configuration."""

    active: str
    models: list[ModelSummary]


class Symmetries(BaseModel):
    """Number of symmetries of each kind."""

    discrete: int
    continuous: int


class ObjectOut(BaseModel):
    """An object of a model."""

    obj_id: int
    label: str
    diameter_m: float
    extents_m: list[float]
    faces: int
    symmetries: Symmetries


class ModelDetail(ModelSummary):
    """A model in detail. `verdict` says what it was worth on the held-out frames of its calibration, a sentence an
    object; `provenance` holds data sets, commit and metrics as recorded by the trainer."""

    detail: list[ObjectOut]
    detector: dict[str, Any]
    localizer: dict[str, Any]
    calibration: dict[str, Any]
    verdict: list[str] = Field(default=[], description="empty for bundles of posebot 0.2 and earlier")
    provenance: dict[str, Any]


class Activated(BaseModel):
    """The model that is active now."""

    active: str
    version: str
    previous: str
    seconds: float


class MeshOut(BaseModel):
    """A mesh for drawing: metres, object frame, flat arrays."""

    obj_id: int
    label: str
    vertices: list[float] = Field(description="x, y, z of each vertex")
    faces: list[int] = Field(description="three vertex indices of each triangle, counter-clockwise from outside")
    colors: list[int] | None = Field(description="r, g, b of each vertex, 0..255")
    edges: list[float] = Field(description="x, y, z of both ends of each sharp edge")
    diameter_m: float
    box_min_m: list[float]
    extents_m: list[float]


class JobIn(RequestModel):
    """A job to submit. `GET /v1/jobs` lists the arguments of each kind."""

    kind: JobKind
    arguments: dict[str, ArgumentValue] = Field(default={}, max_length=40)


class Job(BaseModel):
    """A job on the Ray cluster. Times are seconds since 1970."""

    id: str
    kind: str
    status: JobStatus
    message: str = ""
    arguments: dict[str, Any] = {}
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    progress: float | None = Field(default=None, description="0..1; null where the job does not report it")


class JobList(BaseModel):
    """All jobs, newest first, and the arguments of each kind."""

    kinds: dict[str, list[str]]
    jobs: list[Job]


class JobLogs(BaseModel):
    """The last lines of the output."""

    lines: list[str]
