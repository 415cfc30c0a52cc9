"""Keys, models, jobs, health over the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from posebot.service.web.schemas.poses import Request

JobKind = Literal["train", "tune", "evaluate", "synth"]
JobStatus = Literal["pending", "running", "succeeded", "failed", "stopped"]
Value = Annotated[str, Field(max_length=500)] | bool | int | float


class ErrorDetail(BaseModel):
    """What is wrong, and where it can be told, what would be right."""

    code: str
    message: str
    where: str | None = None
    problem: str | None = None
    expected: str | None = None


class ErrorOut(BaseModel):
    """Every answer of 400 and above."""

    error: ErrorDetail


class LoginIn(Request):
    """An API key."""

    key: str = Field(max_length=200)


class IdentityOut(BaseModel):
    """Who is asking."""

    id: str
    name: str
    scopes: list[str]
    expires_at: float | None = Field(description="seconds since 1970; null: never")


class TicketOut(BaseModel):
    """Opens one WebSocket: `?ticket=…`."""

    ticket: str
    expires_in_s: float


class InfoOut(BaseModel):
    """The service."""

    version: str
    profile: Literal["fused", "distributed"]
    active: str
    started_at: float
    server_time: float = Field(description="seconds since 1970")


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


class Ready(BaseModel):
    """A picture went through all stages."""

    status: Literal["ready"] = "ready"
    checked_at: float = Field(description="seconds since 1970")
    ms: float = Field(description="that the picture took, milliseconds")


class ModelSummary(BaseModel):
    """A bundle of the configuration."""

    name: str
    version: str | None
    active: bool
    objects: list[str]
    licence: str | None
    error: str | None = Field(default=None, description="why it cannot be opened")


class ModelList(BaseModel):
    """All bundles of the configuration."""

    active: str
    models: list[ModelSummary]


class Symmetries(BaseModel):
    """How many of each kind."""

    discrete: int
    continuous: int


class ObjectOut(BaseModel):
    """An object that a model knows."""

    obj_id: int
    label: str
    diameter_m: float
    extents_m: list[float]
    faces: int
    symmetries: Symmetries


class ModelDetail(ModelSummary):
    """All about a bundle. `provenance` holds data, commit and metrics as the trainer wrote them."""

    detail: list[ObjectOut]
    detector: dict[str, Any]
    localizer: dict[str, Any]
    calibration: dict[str, Any]
    provenance: dict[str, Any]


class Activated(BaseModel):
    """The model that answers from now on."""

    active: str
    version: str
    previous: str
    seconds: float


class MeshOut(BaseModel):
    """A mesh for drawing: metres, object frame, flat arrays."""

    obj_id: int
    label: str
    vertices: list[float] = Field(description="x, y, z of each vertex")
    faces: list[int] = Field(description="three vertices of each triangle, counter-clockwise from outside")
    colors: list[int] | None = Field(description="r, g, b of each vertex, 0..255")
    edges: list[float] = Field(description="x, y, z of both ends of each sharp edge")
    diameter_m: float
    box_min_m: list[float]
    extents_m: list[float]


class JobIn(Request):
    """What is to be done. The arguments of each kind are listed by `GET /v1/jobs`."""

    kind: JobKind
    arguments: dict[str, Value] = Field(default={}, max_length=40)


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
    progress: float | None = Field(default=None, description="0..1 where the job tells")


class JobList(BaseModel):
    """All jobs, newest first, and which arguments each kind takes."""

    kinds: dict[str, list[str]]
    jobs: list[Job]


class JobLogs(BaseModel):
    """The last lines."""

    lines: list[str]
