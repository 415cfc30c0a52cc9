"""A typed client of the service.

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
    """The service said no. `code` as in docs/how-to/serve.md; `status` of HTTP, 0 where it could not be reached."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        super().__init__(message, code=code)


@dataclass(frozen=True)
class Live:
    """A message of a live stream: a result with its picture (JPEG, None unless asked for)."""

    sequence: int
    result: Result
    base_from_cam: Array | None
    bundle: str
    jpeg: bytes | None
    age_ms: float


class Client:
    """One connection to a service. May be used by several threads.

    Args:
        base: address of the service. key: API key, or an Entra ID token. timeout_s: of each request.
        verify: as in httpx: whether, or by which certificate authority's file, TLS certificates are checked.
    """

    def __init__(self, base: str, key: str, timeout_s: float = 30.0, verify: bool | str = True) -> None:
        import httpx

        self._base = base.rstrip("/")
        self._http = httpx.Client(base_url=self._base, headers={"Authorization": f"Bearer {key}"}, timeout=timeout_s,
                                  verify=verify)

    def infer(self, image: bytes | str | Path, camera: Camera, *, depth: bytes | str | Path | None = None,
              depth_scale: float = 1.0, base_from_cam: Array | None = None, frame_id: str = "",
              bundle: str | None = None) -> Result:
        """Objects in one picture.

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
        """A camera of the service; nothing is asked yet."""
        return Stream(self, name)

    def streams(self) -> list[dict[str, Any]]:
        """The status of each stream."""
        return list(self._call("GET", "/v1/streams")["streams"])

    def models(self) -> dict[str, Any]:
        """All models, and which one is active."""
        return self._call("GET", "/v1/models")

    def activate(self, name: str) -> dict[str, Any]:
        """Let a model answer from now on; returns when it does."""
        return self._call("POST", f"/v1/models/{name}/activate", timeout=150.0)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, newest first."""
        return list(self._call("GET", "/v1/jobs")["jobs"])

    def submit(self, kind: Literal["train", "tune", "evaluate", "synth"], **arguments: Any) -> dict[str, Any]:
        """Start a job; see docs/how-to/serve.md for the arguments."""
        return self._call("POST", "/v1/jobs", json={"kind": kind, "arguments": arguments})

    def job(self, job_id: str) -> dict[str, Any]:
        """How a job does."""
        return self._call("GET", f"/v1/jobs/{job_id}")

    def job_logs(self, job_id: str, tail: int = 200) -> list[str]:
        """The last lines it printed."""
        return list(self._call("GET", f"/v1/jobs/{job_id}/logs", params={"tail": tail})["lines"])

    def stop_job(self, job_id: str) -> dict[str, Any]:
        """End a job."""
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
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ServiceError(0, "unreachable", f"{self._base}: {error or type(error).__name__}") from None
        if answer.status_code >= 400:
            raise _refusal(answer)
        return answer

    def _socket(self, path: str) -> str:
        ticket = self._call("POST", "/v1/auth/ticket")["ticket"]
        return f"ws{self._base.removeprefix('http')}{path}&ticket={ticket}"


class Stream:
    """A camera of the service."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self.name, self._path = client, name, f"/v1/streams/{name}"

    def latest(self, max_age_ms: float | None = None) -> Result:
        """The newest result.

        Raises:
            ServiceError: `stale` where its image is older than `max_age_ms`, `no_result` before the first,
                `not_running` where nobody has started the stream.
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
        """How it does."""
        return self._client._call("GET", self._path)

    def push_pose(self, base_from_gripper: Array, stamp: float | None = None) -> None:
        """Tell where the robot's hand is, 4x4 metres, or was at `stamp` (seconds since 1970)."""
        pose = {"matrix": np.asarray(base_from_gripper, dtype=float).tolist()}
        self._client._raw("POST", f"{self._path}/robot-pose", json={"base_from_gripper": pose, "stamp": stamp})

    def live(self, picture: Literal["none", "raw", "overlay"] = "none", fps: float | None = None) -> Iterator[Live]:
        """Results as they come, only the newest; ends with the connection.

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
                    read = _live(message)
                    if read is not None:
                        yield read
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
    said: Mapping[str, Any] = json.loads(header)
    if said["type"] != "result":
        return None
    pose = said["base_from_cam"]
    age_ms = 1000 * (time.time() - said["result"]["captured_at"])
    return Live(said["sequence"], Result.from_dict(said["result"]), None if pose is None else np.array(pose),
                said["bundle"], jpeg, age_ms)


def _bytes(file: bytes | str | Path) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()


def _refusal(answer: httpx.Response) -> ServiceError:
    try:
        error = answer.json()["error"]
        return ServiceError(answer.status_code, error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        return ServiceError(answer.status_code, "unknown", f"{answer.status_code} {answer.text[:200]}")
