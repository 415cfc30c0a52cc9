"""The deployment that answers HTTP; in the fused profile it also runs inference."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from posebot.core.frame import Frame
from posebot.service.engine.interface import Prediction
from posebot.service.settings import Settings
from posebot.service.web.app import create_app
from posebot.service.web.ingress_server import IngressServer
from posebot.service.web.services import Services

NAME = "Api"


class Api:
    """FastAPI on Ray Serve.

    Args:
        create_services: wires everything in the replica's process, from settings, name of the Serve application and
            handles. handles: of detector, localizer and solver; none in the fused profile.
        own_port: listen on a port of its own instead of behind Ray's proxy.
    """

    def __init__(self, create_services: Callable[..., Services], settings: Settings, *handles: Any,
                 own_port: bool = False) -> None:
        from ray import serve

        app = serve.get_replica_context().app_name
        self.services = create_services(settings, app, *handles)
        self.server = IngressServer(settings) if own_port else None

    def __serve_build_asgi_app__(self) -> FastAPI:
        self.http = create_app(self.services)
        return self.http

    async def reconfigure(self, user_config: dict[str, str]) -> None:
        """Load and activate a model; the previous one serves meanwhile. Serve's first call completes a new replica."""
        await self.services.engine.activate(user_config["active"], user_config["digest"])
        if self.server is not None:
            await self.server.start(self.http)

    async def __del__(self) -> None:  # Serve awaits it before it ends a replica
        if self.server is not None:
            await self.server.stop()

    async def check_health(self) -> None:
        """A real inference, unless one has just succeeded."""
        await asyncio.wait_for(self.services.engine.check_health(), 50)

    async def infer(self, frame: Frame, bundle: str | None = None) -> Prediction:
        """For the streams, which call it through a handle."""
        return await self.services.engine.infer(frame, bundle)
