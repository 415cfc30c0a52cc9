"""The service's own port: opened, taken, handed over, closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from posebot.core.errors import InputError
from posebot.service.settings import Settings, load_settings
from posebot.service.web.ingress_server import IngressServer, bind_socket
from tests.service.helpers import free_port


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(None, state=tmp_path, port=free_port())


def slow(settings: Settings, seconds: float) -> tuple[FastAPI, str]:
    app = FastAPI()

    @app.get("/")
    async def answer() -> dict[str, bool]:
        await asyncio.sleep(seconds)
        return {"whole": True}

    return app, f"http://127.0.0.1:{settings.port}/"


@pytest.mark.anyio
async def test_requests_in_progress_are_finished_when_the_server_stops(settings: Settings) -> None:
    app, address = slow(settings, 0.5)
    server = IngressServer(settings)
    await server.start(app)
    await server.start(app)  # once is enough
    async with httpx.AsyncClient() as client:
        asked = asyncio.create_task(client.get(address))
        await asyncio.sleep(0.2)
        await server.stop()
        assert (await asked).json() == {"whole": True}
        with pytest.raises(httpx.ConnectError):
            await client.get(address)


@pytest.mark.anyio
async def test_a_new_replica_takes_the_port_over_from_the_old_one(settings: Settings) -> None:
    app, address = slow(settings, 0.0)
    old, new = IngressServer(settings), IngressServer(settings)
    await old.start(app)
    coming = asyncio.create_task(new.start(app))
    await asyncio.sleep(0.3)
    assert not coming.done()
    await old.stop()
    await coming
    async with httpx.AsyncClient() as client:
        assert (await client.get(address)).status_code == 200
    await new.stop()


def test_a_port_or_host_that_cannot_be_had_is_bad_input(settings: Settings) -> None:
    with bind_socket(settings), pytest.raises(InputError, match="is in use by another program"):
        bind_socket(settings)
    with pytest.raises(InputError, match="--host"):
        bind_socket(load_settings(None, state=settings.state, host="203.0.113.1", port=settings.port))
