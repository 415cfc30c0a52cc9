"""A service in this process behind a real web server, and what is sent to it."""


from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn
from PIL import Image

from posebot.service.composition import local_services
from posebot.service.settings import load_settings
from posebot.service.web.app import create_app
from posebot.service.web.services import Services

CAMERA = {"fx": 200.0, "fy": 200.0, "cx": 63.5, "cy": 47.5, "width": 128, "height": 96}


@dataclass
class Running:
    """A service at `base`, with keys by scope."""

    base: str
    services: Services
    keys: dict[str, str]

    def client(self, scope: str | None = "admin", **options: Any) -> httpx.Client:
        headers = {} if scope is None else {"Authorization": f"Bearer {self.keys[scope]}"}
        return httpx.Client(base_url=self.base, headers=headers, timeout=60, **options)


def picture(width: int = 128, height: int = 96, kind: str = "PNG", seed: int = 0) -> bytes:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encode(Image.fromarray(rgb), kind)


def depth_picture(width: int = 128, height: int = 96, value: int = 600) -> bytes:
    return encode(Image.fromarray(np.full((height, width), value, np.uint16)), "PNG")


def encode(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


class Service:
    """Starts and ends a service."""

    def __init__(self, config: Path, **changes: Any) -> None:
        self.settings = load_settings(config, **changes)

    def __enter__(self) -> Running:
        services = local_services(self.settings)
        store = services.authenticator.keys
        keys = {scope: store.create(scope, [scope])[1] for scope in ("read", "infer", "operate", "admin")}
        options: dict[str, Any] = {"log_level": "warning", "ws": "websockets-sansio", "access_log": False}
        self.server = uvicorn.Server(uvicorn.Config(create_app(services), port=0, **options))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.server.started)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        return Running(f"http://127.0.0.1:{port}", services, keys)

    def __exit__(self, *error: Any) -> None:
        self.server.should_exit = True
        self.thread.join(20)
