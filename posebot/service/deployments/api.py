"""The deployment that answers HTTP, and in the fused profile does all the work."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI

from posebot.core.frame import Frame
from posebot.service.engine.activation import ModelActivator
from posebot.service.engine.fused import fused_engine
from posebot.service.engine.interface import Prediction
from posebot.service.engine.remote import remote_engine
from posebot.service.jobs.manager import RayJobManager
from posebot.service.settings import Settings
from posebot.service.streams.actor import RayStreamManager
from posebot.service.web.app import create_app
from posebot.service.web.ingress_server import IngressServer
from posebot.service.web.services import Services

NAME = "Api"


class Api:
    """FastAPI on Ray Serve. `stages`: handles of detector, localizer and solver; none: the fused profile. `own_port`:
    listens itself instead of behind Ray's proxy.
    """

    def __init__(self, settings: Settings, *stages: Any, own_port: bool = False) -> None:
        from ray import serve

        app = serve.get_replica_context().app_name
        self.engine = remote_engine(settings, *stages) if stages else fused_engine(settings)
        swap = ModelActivator(settings, app, lambda: self.engine.active)
        streams = RayStreamManager(settings, NAME, app)
        self.services = Services(settings, self.engine, streams, swap, RayJobManager(settings))
        self.door = IngressServer(settings) if own_port else None

    def __serve_build_asgi_app__(self) -> FastAPI:
        self.http = create_app(self.services)
        return self.http

    async def reconfigure(self, user_config: dict[str, str]) -> None:
        """Hot swap: the old bundle answers until the new one is loaded. Serve's first call makes a replica complete."""
        await self.engine.activate(user_config["active"], user_config["digest"])
        if self.door is not None:
            await self.door.open(self.http)

    async def __del__(self) -> None:  # Serve awaits it before it ends a replica
        if self.door is not None:
            await self.door.close()

    async def check_health(self) -> None:
        """A real inference, unless one has just succeeded."""
        await asyncio.wait_for(self.engine.check(), 50)

    async def infer(self, frame: Frame, bundle: str | None = None) -> Prediction:
        """For the streams."""
        return await self.engine.infer(frame, bundle)
