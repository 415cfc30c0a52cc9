"""The service's configuration: one YAML file, validated. Errors name file, line and key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, WithJsonSchema

from posebot.config import Document, read_document, validate
from posebot.core.transforms import is_transform
from posebot.video.cameras import CameraEntry, load_cameras
from posebot.video.kinds.sim import SimCamera

_RENAMED = {"graph": "inference", "limits.picture_bytes": "image_bytes", "limits.picture_pixels": "image_pixels"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")
Scope = Literal["read", "infer", "operate", "admin"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def _rigid(numbers: list[float]) -> list[float]:
    if len(numbers) != 16 or not is_transform(np.reshape(numbers, (4, 4))):
        raise ValueError("not a rigid transform; 16 numbers, row-major 4x4, metres")
    return numbers


Matrix = Annotated[list[float], AfterValidator(_rigid)]
Camera = Annotated[InstanceOf[CameraEntry], WithJsonSchema({
    "type": "object", "description": "see `posebot config schema cameras`"})]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(_Section):
    """Certificate chain and private key, PEM files."""

    certificate: Path
    key: Path


class Entra(_Section):
    """Microsoft Entra ID: accepted tokens, and the scopes of each app role."""

    tenant: str
    audience: str
    roles: dict[str, list[Scope]]
    authority: str = "https://login.microsoftonline.com"
    """Other than the default for national clouds."""


class Auth(_Section):
    """Authentication. `origins`: further origins of the page, such as that of a reverse proxy."""

    enabled: bool = True
    entra: Entra | None = None
    origins: list[str] = []


class Limits(_Section):
    """Limits of each key. `failures_per_minute`: failed authentications of an address. `viewers`: WebSockets, MJPEG."""

    requests_per_minute: int = Field(default=6000, ge=1)
    failures_per_minute: int = Field(default=30, ge=1)
    concurrent: int = Field(default=16, ge=1)
    viewers: int = Field(default=32, ge=1)
    body_bytes: int = Field(default=32_000_000, ge=1000)
    image_bytes: int = Field(default=20_000_000, ge=1000)
    image_pixels: int = Field(default=16_000_000, ge=64)
    decode_seconds: float = Field(default=3.0, gt=0)
    infer_seconds: float = Field(default=60.0, gt=0)
    storage: str = "memory://"
    """URI of the library `limits`, such as redis://… to share counts between services."""


class RecordingSettings(_Section):
    """Recording of a stream into the state folder: `megabytes` of a file, and how many files of each kind to `keep`."""

    jsonl: bool = True
    mcap: bool = False
    megabytes: float = Field(default=256.0, gt=0)
    keep: int = Field(default=8, ge=1)


class StreamSettings(_Section):
    """How a camera is run.

    `robot_pose`: source of base_from_cam; "table" reads `poses` (CSV), "pushed" takes poses sent by the robot.
    `gripper_from_cam`: hand-eye calibration; the table or the robot then gives base_from_gripper. `autostart`: run
    until it is stopped over the API.
    """

    bundle: Name | None = None
    fuse: bool = True
    loop: bool = False
    autostart: bool = False
    robot_pose: Literal["camera", "table", "pushed"] = "camera"
    poses: Path | None = None
    gripper_from_cam: Matrix | None = None
    max_pose_gap_s: float = Field(default=0.25, gt=0)
    record: RecordingSettings | None = None


class Replicas(_Section):
    """Replicas of one deployment in the distributed profile. `cpus`, `gpus`: of each replica."""

    min: int = Field(default=1, ge=1)
    max: int = Field(default=1, ge=1)
    cpus: float = Field(default=0.5, ge=0)
    gpus: float = Field(default=0.0, ge=0)


class Inference(_Section):
    """Inference. `workers`: frames processed in parallel by a replica; `waiting`: frames that may wait. `threads`: of a
    network, 0 = chosen by its runtime. `batch`, `batch_wait_s`: batching of remote networks."""

    workers: int = Field(default=1, ge=1)
    waiting: int = Field(default=16, ge=0)
    threads: int = Field(default=0, ge=0)
    batch: int = Field(default=4, ge=1)
    batch_wait_s: float = Field(default=0.005, ge=0)
    cpus: float = Field(default=0.5, ge=0)
    gpus: float = Field(default=0.0, ge=0)
    detector: Replicas = Replicas()
    localizer: Replicas = Replicas()
    solver: Replicas = Replicas()


class Jobs(_Section):
    """`folder`: data sets and bundles that jobs may read and write. `python`: interpreter on the cluster's head node;
    default: that of the service."""

    folder: Path = Path("data")
    python: str | None = None


class Settings(_Section):
    """The configuration. Relative paths are relative to the file; without a file, to the working directory. So is the
    default of `state`, with or without a file: `posebot keys` and `posebot serve` agree on it."""

    profile: Literal["fused", "distributed"] = "fused"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    tls: Tls | None = None
    state: Path = Path("runs/serve")
    auth: Auth = Auth()
    limits: Limits = Limits()
    bundles: dict[Name, str] = {"kit": "kit"}
    active: Name = "kit"
    cameras: dict[Name, Camera] = {"wrist": CameraEntry(SimCamera(fps=10.0))}
    streams: dict[Name, StreamSettings] = {}
    stale_after_s: float = Field(default=2.0, gt=0)
    jobs: Jobs = Jobs()
    inference: Inference = Inference()

    def stream(self, name: str) -> StreamSettings:
        """The settings of the stream of a camera."""
        return self.streams.get(name, StreamSettings())


def load_settings(path: str | Path | None = None, **overrides: Any) -> Settings:
    """Read a configuration file; None: the defaults, with one simulated camera `wrist`.

    Args:
        overrides: values of top-level keys that replace the file's; None: not given.
    Raises:
        InputError: the file cannot be read, or a value is wrong; the message names file, line and key.
    """
    file = Path(path).absolute() if path is not None else None
    document = Document("settings", {}) if file is None else read_document(file, renamed=_RENAMED)
    if isinstance(document.data, dict):
        given = {key: value for key, value in overrides.items() if value is not None}
        cameras = {"cameras": load_cameras(file)} if file is not None and "cameras" in document.data else {}
        document = replace(document, data=document.data | cameras | given)
    settings = validate(document, Settings, strict=False)
    _check_references(settings, document)
    return _with_absolute_paths(settings, file.parent if file else Path.cwd())


def _check_references(settings: Settings, document: Document) -> None:
    """Constraints between values."""
    if settings.active not in settings.bundles:
        raise document.error(("active",), f"{settings.active!r} is not a bundle of this file",
                             ", ".join(settings.bundles))
    if not settings.auth.enabled and settings.host not in LOOPBACK:
        raise document.error(("auth", "enabled"),
                             f"without authentication the host must be loopback, not {settings.host}",
                             "host: 127.0.0.1, or auth: {enabled: true}")
    for name, stream in settings.streams.items():
        if name not in settings.cameras:
            raise document.error(("streams", name), "there is no camera of this name",
                                 ", ".join(settings.cameras) or "cameras: …")
        if stream.bundle is not None and stream.bundle not in settings.bundles:
            raise document.error(("streams", name, "bundle"), f"{stream.bundle!r} is unknown",
                                 ", ".join(settings.bundles))
        if (stream.robot_pose == "table") != (stream.poses is not None):
            raise document.error(("streams", name, "robot_pose"), "`table` and `poses` belong together",
                                 "robot_pose: table, poses: FILE")


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    """Names of packaged bundles stay names."""
    def absolute(path: Path) -> Path:
        return (folder / path).absolute()

    bundles = {name: str(absolute(Path(source))) if (folder / source).exists() else source
               for name, source in settings.bundles.items()}
    streams = {name: stream.model_copy(update={"poses": absolute(stream.poses)}) if stream.poses else stream
               for name, stream in settings.streams.items()}
    tls = settings.tls and Tls(certificate=absolute(settings.tls.certificate), key=absolute(settings.tls.key))
    state = absolute(settings.state) if "state" in settings.model_fields_set else settings.state.absolute()
    jobs = settings.jobs.model_copy(update={"folder": absolute(settings.jobs.folder)})
    return settings.model_copy(update={"state": state, "bundles": bundles, "streams": streams,
                                       "tls": tls, "jobs": jobs})
