"""The ingress server: the service's own port, a web server in the API replica's process.

Ray's proxy adds 10 to 15 ms to an image, parts of it in Python. `posebot serve` therefore listens here; `serve run` and
`serve deploy` go through the proxy, which reaches replicas on any machine of a cluster.
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

_MAX_CONNECTIONS = 1000
_MAX_WEBSOCKET_MESSAGE = 1 << 16  # bytes, from the client
_HANDOVER_S, _RETRY_S = 20.0, 0.25  # how long an ending replica may hold the port that the next one needs


def bind_socket(settings: Settings) -> socket.socket:
    """A listening socket at the host and port.

    Raises:
        InputError: the port is in use, or the host is not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        address = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise InputError("--port", f"{address} is in use by another program", "a free port",
                             code="port_in_use") from None
        raise InputError("--host", f"{address}: {error.strerror or error}", "an address of this machine") from None
    return sock


class IngressServer:
    """Serves HTTP from `start` to `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._running: tuple[asyncio.Task[None], uvicorn.Server] | None = None

    async def start(self, app: FastAPI) -> None:
        """Serve the app in this event loop. Does nothing if it is running."""
        if self._running is not None:
            return
        sock = await self._bind()
        server = self._server(app)
        task = asyncio.create_task(server.serve(sockets=[sock]))
        self._running = task, server
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        if task.done():
            await task

    async def stop(self) -> None:
        """Accept no more requests, and finish those in progress."""
        if self._running is not None:
            task, server = self._running
            server.should_exit = True
            await task

    def _server(self, app: FastAPI) -> uvicorn.Server:
        import uvicorn

        tls = self.settings.tls
        return uvicorn.Server(uvicorn.Config(
            app, lifespan="off", log_config=None, log_level="warning", access_log=False, server_header=False,
            proxy_headers=False, timeout_keep_alive=75, limit_concurrency=_MAX_CONNECTIONS, ws="websockets-sansio",
            ws_max_size=_MAX_WEBSOCKET_MESSAGE,
            ssl_certfile=str(tls.certificate) if tls else None, ssl_keyfile=str(tls.key) if tls else None))

    async def _bind(self) -> socket.socket:
        for _ in range(int(_HANDOVER_S / _RETRY_S)):
            with suppress(InputError):
                return bind_socket(self.settings)
            await asyncio.sleep(_RETRY_S)
        return bind_socket(self.settings)
