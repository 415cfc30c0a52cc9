"""The service of the demo, with one simulated camera and one key, and a source of frames that reads its results."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posebot.client import Client, Live, ServiceError
from posebot.core.errors import InputError, PosebotError
from posebot.core.frame import Frame
from posebot.core.results import FrameResult
from posebot.video.cameras import CameraEntry
from posebot.video.overlay import Overlay
from posebot.video.source import CapturedFrame, FrameEvent, SkippedFrame

if TYPE_CHECKING:
    from posebot.service.settings import Settings

CAMERA = "wrist"
PORTS = 20  # to try, from the requested one on
_RESULT_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Served:
    """Address of the service, and a key for it."""

    address: str
    key: str

    @property
    def link(self) -> str:
        """The page, signed in. The fragment after # stays in the browser."""
        return f"{self.address}/login#key={self.key}"


@contextmanager
def served(entry: CameraEntry, bundle: str, state: Path, port: int, say: Callable[[str], object]) -> Iterator[Served]:
    """A service on a Ray cluster of its own, while the block runs. `state` is emptied first. say: see `launch.start`.

    Raises:
        PosebotError: it does not start; InputError: no port is free.
    """
    os.environ.pop("RAY_ADDRESS", None)  # never on an existing cluster
    from posebot.service import launch
    from posebot.service.auth.keys import KeyStore
    from posebot.service.settings import Settings, StreamSettings

    shutil.rmtree(state, ignore_errors=True)
    name = Path(bundle).name
    settings: Settings = Settings(
        port=free_port(port), state=state.absolute(), bundles={name: bundle}, active=name, cameras={CAMERA: entry},
        streams={CAMERA: StreamSettings(autostart=True)})
    try:
        launch.start(settings, say=say)
        key = KeyStore(settings.state).create("demo", ["operate"], days=1)[1]
        yield Served(launch.address_of(settings), key)
    finally:
        launch.stop()


def free_port(first: int) -> int:
    """The first free port from `first` on. Raises InputError where there is none."""
    for port in range(first, min(first + PORTS, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise InputError("--port", f"{first} and the next {PORTS - 1} are in use", "a free port", code="port_in_use")


class ServedSource:
    """The service's results as a source of frames, with `result` and `overlay` of the newest one."""

    live = True
    total: int | None = None
    fps: float | None = None

    def __init__(self, service: Served, name: str = CAMERA) -> None:
        self.name = name
        self._client = Client(service.address, service.key)
        self.overlay = ReceivedOverlay([])
        self._newest: FrameResult | None = None

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        """Until `close`, or until nothing arrives for a minute. A broken connection is opened again."""
        last, received_at = 0, time.monotonic()
        while True:
            try:
                for live in self._client.stream(self.name).live("overlay"):
                    received_at = time.monotonic()
                    missed = max(0, live.sequence - last - 1) if last else 0
                    last, self._newest = live.sequence, live.result
                    yield CapturedFrame(self._frame(live), live.result.dropped + missed)
            except ServiceError as error:
                yield SkippedFrame(self.name, str(error))
            if time.monotonic() - received_at > _RESULT_TIMEOUT_S:
                raise PosebotError(f"the service has sent no result for {_RESULT_TIMEOUT_S:.0f} s; see Ray's log")
            time.sleep(0.5)

    def _frame(self, live: Live) -> Frame:
        result, image = live.result, _decoded(live.jpeg)
        self.overlay.image = image  # with a footer below the camera's pixels
        rgb = np.ascontiguousarray(image[:result.camera.height, :result.camera.width])
        return Frame(rgb, result.camera, None, live.base_from_cam, result.frame_id, result.captured_at)

    def result(self, frame: Frame) -> FrameResult:
        """The service's result of the newest frame."""
        assert self._newest is not None and self._newest.frame_id == frame.frame_id
        return self._newest

    def close(self) -> None:
        self._client.close()


class ReceivedOverlay(Overlay):
    """The overlay of the newest frame, drawn by the service."""

    image: NDArray[np.uint8]

    def draw(self, frame: Frame, result: FrameResult) -> NDArray[np.uint8]:
        return self.image


def _decoded(jpeg: bytes | None) -> NDArray[np.uint8]:
    import cv2

    image = None if jpeg is None else cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise PosebotError("the service sent no image")
    return np.ascontiguousarray(np.asarray(image, np.uint8)[..., ::-1])
