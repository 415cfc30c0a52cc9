"""A typed client of the HTTP API.

    from posebot.client import Client

    with Client("http://127.0.0.1:8000", "pb_…") as client:
        result = client.stream("wrist").latest(max_age_ms=200)
        for estimate in result.estimates:
            print(estimate.label, estimate.status, estimate.base_from_obj)
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from posebot.api.result import Result
from posebot.core.camera import Camera
from posebot.core.errors import PosebotError
from posebot.core.transforms import Array

if TYPE_CHECKING:
    import httpx


class ServiceError(PosebotError):
    """An error response of the service, or a failed connection.

    Attributes:
        code: as in `core.error_codes`. status: of HTTP, 0 where the service could not be reached.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        super().__init__(message, code=code)


@dataclass(frozen=True)
class Live:
    """A result of a live stream.

    Attributes:
        sequence: number of the result; gaps are results that were not sent. jpeg: image of its frame, if requested.
        bundle: name and version of the model. age_ms: of the frame, when the message arrived.
    """

    sequence: int
    result: Result
    base_from_cam: Array | None
    bundle: str
    jpeg: bytes | None
    age_ms: float


class Client:
    """A connection to a service. Thread-safe.

    Args:
        base: address of the service.
        key: API key, or an Entra ID token; empty where the service has authentication switched off.
        timeout_s: of each request.
        verify: as in httpx: whether, or by which certificate authority's file, TLS certificates are checked.
    """

    def __init__(self, base: str, key: str = "", timeout_s: float = 30.0, verify: bool | str = True) -> None:
        import httpx

        self._base = base.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=self._base, headers=headers, timeout=timeout_s, verify=verify)

    def infer(self, image: bytes | str | Path, camera: Camera, *, depth: bytes | str | Path | None = None,
              depth_scale: float = 1.0, base_from_cam: Array | None = None, frame_id: str = "",
              bundle: str | None = None) -> Result:
        """Objects and their poses in one image.

        Args:
            image: PNG, JPEG or WebP, a file or its bytes.
            camera: intrinsics of exactly this image.
            depth: 16-bit PNG registered to the image.
            depth_scale: millimetres per unit of `depth`.
            base_from_cam: 4x4, metres: where the camera was, for results in the base frame.
            frame_id: returned with the result.
            bundle: which of the service's bundles; None: the active one.

        Raises:
            ServiceError: it was refused, or the service cannot be reached.
        """
        files = {"image": ("image", _bytes(image))} | ({} if depth is None else {"depth": ("depth", _bytes(depth))})
        fields = {"camera": json.dumps(camera.to_dict()), "depth_scale": str(depth_scale), "frame_id": frame_id}
        if base_from_cam is not None:
            fields["base_from_cam"] = json.dumps({"matrix": np.asarray(base_from_cam, dtype=float).tolist()})
        if bundle is not None:
            fields["bundle"] = bundle
        return Result.from_dict(self._call("POST", "/v1/infer", files=files, data=fields))

    def stream(self, name: str) -> Stream:
        """A stream of the service; sends no request."""
        return Stream(self, name)

    def streams(self) -> list[dict[str, Any]]:
        """The status of each stream."""
        return list(self._call("GET", "/v1/streams")["streams"])

    def models(self) -> dict[str, Any]:
        """All models, and the active one."""
        return self._call("GET", "/v1/models")

    def activate(self, name: str) -> dict[str, Any]:
        """Activate a model; returns when every replica uses it."""
        return self._call("POST", f"/v1/models/{name}/activate", timeout=150.0)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, newest first."""
        return list(self._call("GET", "/v1/jobs")["jobs"])

    def submit(self, kind: Literal["train", "tune", "evaluate", "synth"], **arguments: Any) -> dict[str, Any]:
        """Submit a job; `GET /v1/jobs` lists the arguments of each kind."""
        return self._call("POST", "/v1/jobs", json={"kind": kind, "arguments": arguments})

    def job(self, job_id: str) -> dict[str, Any]:
        """The state of a job."""
        return self._call("GET", f"/v1/jobs/{job_id}")

    def job_logs(self, job_id: str, tail: int = 200) -> list[str]:
        """The last lines of its output."""
        return list(self._call("GET", f"/v1/jobs/{job_id}/logs", params={"tail": tail})["lines"])

    def stop_job(self, job_id: str) -> dict[str, Any]:
        """Stop a job."""
        return self._call("POST", f"/v1/jobs/{job_id}/stop")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return dict(self._raw(method, path, **options).json() or {})

    def _raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        import httpx

        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ServiceError(0, "unreachable", f"{self._base}: {error or type(error).__name__}") from None
        if response.status_code >= 400:
            raise _error(response)
        return response

    def _socket(self, path: str) -> str:
        ticket = self._call("POST", "/v1/auth/ticket")["ticket"]
        return f"ws{self._base.removeprefix('http')}{path}&ticket={ticket}"


class Stream:
    """A stream of the service: one camera and its results."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self.name, self._path = client, name, f"/v1/streams/{name}"

    def latest(self, max_age_ms: float | None = None) -> Result:
        """The newest result.

        Raises:
            ServiceError: `stale` where its image is older than `max_age_ms`, `no_result` before the first,
                `not_running` where the stream is stopped.
        """
        limit = {} if max_age_ms is None else {"max_age_ms": max_age_ms}
        return Result.from_dict(self._client._call("GET", f"{self._path}/result", params=limit)["result"])

    def picture(self, overlay: bool = False) -> bytes:
        """JPEG of the newest result's frame."""
        return self._client._raw("GET", f"{self._path}/picture", params={"overlay": overlay}).content

    def start(self) -> dict[str, Any]:
        """Start it; returns its status."""
        return self._client._call("POST", f"{self._path}/start")

    def stop(self) -> dict[str, Any]:
        """Stop it; returns its status."""
        return self._client._call("POST", f"{self._path}/stop")

    def status(self) -> dict[str, Any]:
        """Its status."""
        return self._client._call("GET", self._path)

    def push_pose(self, base_from_gripper: Array, stamp: float | None = None) -> None:
        """Push the pose of the robot's gripper, 4x4 metres, now or at `stamp` (seconds since 1970)."""
        pose = {"matrix": np.asarray(base_from_gripper, dtype=float).tolist()}
        self._client._raw("POST", f"{self._path}/robot-pose", json={"base_from_gripper": pose, "stamp": stamp})

    def live(self, picture: Literal["none", "raw", "overlay"] = "none", fps: float | None = None) -> Iterator[Live]:
        """Live results, always the newest; ends with the connection.

        Raises:
            ServiceError: refused, or the connection broke.
        """
        from websockets.exceptions import ConnectionClosedOK, WebSocketException
        from websockets.sync.client import connect

        rate = "" if fps is None else f"&fps={fps:g}"
        address = self._client._socket(f"{self._path}/results?picture={picture}{rate}")
        try:
            with connect(address, max_size=None) as socket:
                for message in socket:
                    live = _live(message)
                    if live is not None:
                        yield live
        except ConnectionClosedOK:
            return
        except (WebSocketException, OSError) as error:
            raise ServiceError(0, "disconnected", f"stream {self.name}: {error}") from None


def _live(message: str | bytes) -> Live | None:
    """A result, None for a status."""
    jpeg: bytes | None = None
    if isinstance(message, bytes):
        end = 4 + struct.unpack(">I", message[:4])[0]
        header, jpeg = message[4:end].decode(), bytes(message[end:])
    else:
        header = message
    fields: Mapping[str, Any] = json.loads(header)
    if fields["type"] != "result":
        return None
    pose = fields["base_from_cam"]
    age_ms = 1000 * (time.time() - fields["result"]["captured_at"])
    return Live(fields["sequence"], Result.from_dict(fields["result"]), None if pose is None else np.array(pose),
                fields["bundle"], jpeg, age_ms)


def _bytes(file: bytes | str | Path) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()


def _error(response: httpx.Response) -> ServiceError:
    try:
        error = response.json()["error"]
        return ServiceError(response.status_code, error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        return ServiceError(response.status_code, "unknown", f"{response.status_code} {response.text[:200]}")
