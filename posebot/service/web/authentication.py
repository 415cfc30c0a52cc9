"""The one door: a dependency of the whole app that every HTTP request and WebSocket passes.

An endpoint says with `requires` what it asks for; one that says nothing is for `admin` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from fastapi import WebSocketException
from starlette.requests import HTTPConnection

from posebot.service.auth.entra import EntraVerifier
from posebot.service.auth.identity import ANYBODY, PUBLIC, Identity
from posebot.service.auth.keys import KeyStore
from posebot.service.auth.rate_limits import RateLimiter
from posebot.service.auth.tokens import COOKIE, TokenSigner
from posebot.service.settings import LOOPBACK, Settings
from posebot.service.web.error_responses import ApiError

_SAFE = ("GET", "HEAD", "OPTIONS")
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


def requires(scope: str, viewer: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint with the scope it asks for, or PUBLIC. `viewer`: its requests last while somebody looks."""
    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__.update(scope=scope, viewer=viewer)
        return endpoint

    return mark


class Authenticator:
    """Finds out who calls, and whether they may."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings.auth
        self.keys = KeyStore(settings.state)
        self.signer = TokenSigner(self.keys.derived("tokens"))
        self.limiter = RateLimiter(settings.limits)
        self.entra = EntraVerifier(settings.auth.entra) if settings.auth.entra else None

    async def identify(self, connection: HTTPConnection) -> Identity:
        """Who calls. Raises ApiError 401, 403 or 429."""
        address = connection.client.host if connection.client else "unknown"
        if not self.settings.enabled:
            if address not in (*LOOPBACK, "unknown"):
                raise ApiError(403, "authentication is off: only this machine is answered")
            self._check_origin(connection)
            return ANYBODY
        identity = await self._identity(connection)
        if identity is None:
            if _shown(connection):
                self.limiter.failed(address)
            raise ApiError(401, "a valid key is needed", headers={"WWW-Authenticate": "Bearer"})
        return identity

    async def _identity(self, connection: HTTPConnection) -> Identity | None:
        if connection.scope["type"] == "websocket":
            self._check_origin(connection)
            return self._current(self.signer.take_ticket(connection.query_params.get("ticket", "")))
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return await self.bearer(token.strip())
        if COOKIE not in connection.cookies:
            return None
        if connection.scope["method"] not in _SAFE:
            self._check_origin(connection)
        key = self.keys.valid(self.signer.session_caller(connection.cookies[COOKIE]) or "")
        return None if key is None else key.identity

    async def bearer(self, token: str) -> Identity | None:
        """Whom an API key or an Entra ID token stands for."""
        if token.startswith("pb_"):
            key = self.keys.verify(token)
            return None if key is None else key.identity
        return await asyncio.to_thread(self.entra.verify, token) if self.entra is not None and token else None

    def _current(self, identity: Identity | None) -> Identity | None:
        """The holder of a ticket, unless their key has been revoked since."""
        if identity is None or identity.id.startswith("entra:"):
            return identity
        key = self.keys.valid(identity.id)
        return None if key is None else key.identity

    def _check_origin(self, connection: HTTPConnection) -> None:
        """A browser says from which page a request comes; it must be ours."""
        origin = connection.headers.get("origin")
        if origin is None or origin in self.settings.origins:
            return
        if urlsplit(origin).netloc != connection.headers.get("host"):
            raise ApiError(403, "this request comes from another site")


async def gate(connection: HTTPConnection) -> AsyncIterator[None]:
    """The dependency. Leaves the caller in `connection.state.identity`."""
    door: Authenticator = connection.app.state.gate
    endpoint = connection.scope["endpoint"]
    needed = getattr(endpoint, "scope", "admin")
    if needed == PUBLIC:
        yield
        return
    websocket = connection.scope["type"] == "websocket"
    try:
        identity = await door.identify(connection)
        if not identity.may(needed):
            raise ApiError(403, f"this requires the scope {needed!r}; the key has {', '.join(identity.scopes)}")
        connection.state.identity = identity
        with door.limiter.admitted(identity.id, getattr(endpoint, "viewer", False)):
            yield
    except ApiError as error:
        if websocket:
            raise WebSocketException(1008, str(error)) from None
        raise


def _shown(connection: HTTPConnection) -> bool:
    """Whether credentials were given at all: a visitor without any is no attack."""
    return "authorization" in connection.headers or COOKIE in connection.cookies or "ticket" in connection.query_params
