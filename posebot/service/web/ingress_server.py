"""The service's own port: a web server in the process that answers, so that no proxy copies pictures on their way.

Ray's proxy takes 10 to 15 ms a picture, parts of it in Python. `posebot serve` therefore listens here; `serve run` and
`serve deploy` go through the proxy, which finds replicas on any machine of a cluster.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from fastapi import FastAPI

from posebot.core.errors import InputError
from posebot.service.settings import Settings

if TYPE_CHECKING:
    import uvicorn

_MOST_CONNECTIONS = 1000
_TAKEN_S = 20.0  # how long a replica that goes may keep the port from the one that comes


def bind_socket(settings: Settings) -> socket.socket:
    """A socket at the host and port.

    Raises:
        InputError: the port is taken, or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.host, settings.port))
        found.listen(128)
    except OSError as error:
        found.close()
        place = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise InputError("--port", f"{place} is taken by another program", "a free port",
                             code="port_in_use") from None
        raise InputError("--host", f"{place}: {error.strerror or error}", "an address of this machine") from None
    return found


class IngressServer:
    """Open from `open` to `close`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._server: tuple[asyncio.Task[None], uvicorn.Server] | None = None

    async def open(self, app: FastAPI) -> None:
        """Prediction requests in this event loop; does nothing when open."""
        import uvicorn

        if self._server is not None:
            return
        found, tls = await self._port(), self.settings.tls
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, log_level="warning", access_log=False, server_header=False,
            proxy_headers=False, timeout_keep_alive=75, limit_concurrency=_MOST_CONNECTIONS, ws="websockets-sansio",
            ws_max_size=1 << 16,
            ssl_certfile=str(tls.certificate) if tls else None, ssl_keyfile=str(tls.key) if tls else None)
        server = uvicorn.Server(config)
        self._server = asyncio.create_task(server.serve(sockets=[found])), server
        while not server.started and not self._server[0].done():
            await asyncio.sleep(0.01)
        if self._server[0].done():
            await self._server[0]

    async def _port(self) -> socket.socket:
        for _ in range(int(_TAKEN_S / 0.25)):
            with suppress(InputError):
                return bind_socket(self.settings)
            await asyncio.sleep(0.25)
        return bind_socket(self.settings)

    async def close(self) -> None:
        """Take no more requests and finish those that have begun."""
        if self._server is not None:
            task, server = self._server
            server.should_exit = True
            await task
