"""The server's configuration, one YAML file, checked. Messages name file, line and key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, ValidationError

from posebot.core.errors import ConfigError, InputError
from posebot.core.transforms import is_transform
from posebot.video.cameras import CameraEntry, load_cameras

LOOPBACK = ("127.0.0.1", "::1", "localhost")
Scope = Literal["read", "infer", "operate", "admin"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def _rigid(numbers: list[float]) -> list[float]:
    if len(numbers) != 16 or not is_transform(np.reshape(numbers, (4, 4))):
        raise ValueError("no rigid transform; 16 numbers, row-major 4x4, metres")
    return numbers


Matrix = Annotated[list[float], AfterValidator(_rigid)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(_Section):
    """PEM files."""

    certificate: Path
    key: Path


class Entra(_Section):
    """Microsoft Entra ID: which tokens are accepted, and what each app role may."""

    tenant: str
    audience: str
    roles: dict[str, list[Scope]]
    authority: str = "https://login.microsoftonline.com"
    """Only for national clouds and tests."""


class Auth(_Section):
    """Who gets in. `origins`: further addresses that the page may be served from (a proxy's, say)."""

    enabled: bool = True
    entra: Entra | None = None
    origins: list[str] = []


class Limits(_Section):
    """Per key, but for `failures_per_minute`, which counts wrong keys per address."""

    requests_per_minute: int = Field(default=6000, ge=1)
    failures_per_minute: int = Field(default=30, ge=1)
    concurrent: int = Field(default=16, ge=1)
    viewers: int = Field(default=32, ge=1)
    body_bytes: int = Field(default=32_000_000, ge=1000)
    picture_bytes: int = Field(default=20_000_000, ge=1000)
    picture_pixels: int = Field(default=16_000_000, ge=64)
    decode_seconds: float = Field(default=3.0, gt=0)
    infer_seconds: float = Field(default=60.0, gt=0)
    storage: str = "memory://"
    """Of the library `limits`: several ingress replicas share counts through redis://…"""


class Record(_Section):
    """What of a stream is kept in the state folder. `megabytes` a file, `keep` files of each kind."""

    jsonl: bool = True
    mcap: bool = False
    megabytes: float = Field(default=256.0, gt=0)
    keep: int = Field(default=8, ge=1)


class Stream(_Section):
    """How a camera is run.

    `robot_pose`: where base_from_cam comes from; "table" reads `poses` (CSV), "pushed" takes what the robot sends.
    `gripper_from_cam`: hand-eye calibration; both then give base_from_gripper. `autostart`: until somebody stops it.
    """

    bundle: Name | None = None
    fuse: bool = True
    loop: bool = False
    autostart: bool = False
    robot_pose: Literal["camera", "table", "pushed"] = "camera"
    poses: Path | None = None
    gripper_from_cam: Matrix | None = None
    max_pose_gap_s: float = Field(default=0.25, gt=0)
    record: Record | None = None


class Replicas(_Section):
    """Of one deployment of the distributed profile. `cpus`, `gpus`: of each replica."""

    min: int = Field(default=1, ge=1)
    max: int = Field(default=1, ge=1)
    cpus: float = Field(default=0.5, ge=0)
    gpus: float = Field(default=0.0, ge=0)


class Graph(_Section):
    """Inference. `workers`: pictures worked on at once in a replica. `threads`: of a network, 0 = its own choice."""

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
    """`folder`: data sets and bundles that jobs may read and write. `python`: of the cluster's head; default: ours."""

    folder: Path = Path("data")
    python: str | None = None


class Settings(_Section):
    """All of it. Relative paths are relative to the file; without a file, to the working directory."""

    profile: Literal["fused", "distributed"] = "fused"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    tls: Tls | None = None
    state: Path = Path("runs/serve")
    auth: Auth = Auth()
    limits: Limits = Limits()
    bundles: dict[Name, str] = {"kit": "kit"}
    active: Name = "kit"
    cameras: dict[Name, InstanceOf[CameraEntry]] = {"wrist": CameraEntry("sim", fps=10.0)}
    streams: dict[Name, Stream] = {}
    stale_after_s: float = Field(default=2.0, gt=0)
    jobs: Jobs = Jobs()
    graph: Graph = Graph()

    def stream(self, name: str) -> Stream:
        """How the camera `name` is run."""
        return self.streams.get(name, Stream())


def load_settings(path: str | Path | None = None, **changes: Any) -> Settings:
    """Read a configuration file; None: the defaults, with one simulated camera `wrist`. `changes` go over the file's.

    Raises:
        InputError: the file cannot be read, or a value is wrong.
    """
    file = Path(path).absolute() if path is not None else None
    data, lines = _read(file) if file is not None else ({}, {})
    if file is not None and "cameras" in data:
        data["cameras"] = load_cameras(file)
    try:
        settings = Settings(**(data | {key: value for key, value in changes.items() if value is not None}))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(*_told(file, lines, first["loc"], first["type"], first["msg"], first["input"])) from None
    return _checked(_resolved(settings, file.parent if file else Path.cwd()), file, lines)


def _read(file: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    try:
        text = file.read_text(encoding="utf-8")
        data, node = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(file, f"not readable ({getattr(error, 'strerror', None) or 'not text'})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # the text itself may hold a password
        raise ConfigError(f"{file}:{mark.line + 1}" if mark else file, "no YAML", "see docs/how-to/serve.md") from None
    if data is None:
        return {}, {}
    if not isinstance(data, dict):
        raise ConfigError(file, f"is a {type(data).__name__}", "keys and values; see docs/how-to/serve.md")
    return {str(key): value for key, value in data.items()}, dict(_lines(node, ()))


def _lines(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """The line of every key, by its path."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from _lines(value, inner)


def _told(file: Path | None, lines: dict[tuple[str, ...], int], loc: tuple[Any, ...], kind: str, message: str,
          value: Any) -> tuple[str, str, str]:
    """Where, problem, expected, for a person."""
    path = tuple(str(part) for part in loc if part != "[key]")
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    where = "settings" if file is None else f"{file}:{line}" if line else str(file)
    key = ".".join(path)
    if kind == "extra_forbidden":
        return where, f"{key}: unknown key", "the keys of docs/how-to/serve.md"
    shown = "" if isinstance(value, dict | list) else f" is {value!r:.60}:"
    return where, f"{key}{shown} {message.removeprefix('Value error, ')}", ""


def _resolved(settings: Settings, folder: Path) -> Settings:
    """All paths absolute; names of packaged bundles stay names."""
    def absolute(path: Path) -> Path:
        return (folder / path).absolute()

    bundles = {name: str(absolute(Path(where))) if (folder / where).exists() else where
               for name, where in settings.bundles.items()}
    streams = {name: stream.model_copy(update={"poses": absolute(stream.poses)}) if stream.poses else stream
               for name, stream in settings.streams.items()}
    tls = settings.tls and Tls(certificate=absolute(settings.tls.certificate), key=absolute(settings.tls.key))
    jobs = settings.jobs.model_copy(update={"folder": absolute(settings.jobs.folder)})
    return settings.model_copy(update={"state": absolute(settings.state), "bundles": bundles, "streams": streams,
                                       "tls": tls, "jobs": jobs})


def _checked(settings: Settings, file: Path | None, lines: dict[tuple[str, ...], int]) -> Settings:
    """What one value says about another."""
    def wrong(path: tuple[str, ...], problem: str, expected: str) -> InputError:
        line = lines.get(path)
        where = "settings" if file is None else f"{file}:{line}" if line else str(file)
        return ConfigError(where, f"{'.'.join(path)}: {problem}", expected)

    if settings.active not in settings.bundles:
        raise wrong(("active",), f"{settings.active!r} is no bundle of this file", ", ".join(settings.bundles))
    if not settings.auth.enabled and settings.host not in LOOPBACK:
        raise wrong(("auth", "enabled"), f"without authentication nothing but loopback is served, not {settings.host}",
                    "host: 127.0.0.1, or auth: {enabled: true}")
    for name, stream in settings.streams.items():
        if name not in settings.cameras:
            raise wrong(("streams", name), "no camera of this name", ", ".join(settings.cameras) or "cameras: …")
        if stream.bundle is not None and stream.bundle not in settings.bundles:
            raise wrong(("streams", name, "bundle"), f"{stream.bundle!r} is unknown", ", ".join(settings.bundles))
        if (stream.robot_pose == "table") != (stream.poses is not None):
            raise wrong(("streams", name, "robot_pose"), "a table and `poses` go together",
                        "robot_pose: table, poses: FILE")
    return settings
