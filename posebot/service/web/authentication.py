"""Authentication and authorization: one dependency of the whole app, which every request and WebSocket passes.

An endpoint declares its scope with `requires`; one that declares none needs `admin`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from fastapi import WebSocketException
from starlette.requests import HTTPConnection

from posebot.core.errors import PosebotError
from posebot.service.auth.entra import EntraVerifier
from posebot.service.auth.identity import LOCAL_ADMIN, PUBLIC, Identity
from posebot.service.auth.keys import KeyStore
from posebot.service.auth.rate_limits import RateLimiter
from posebot.service.auth.tokens import COOKIE, TokenSigner
from posebot.service.errors import Forbidden, Unauthorized
from posebot.service.settings import LOOPBACK, Settings

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


def requires(scope: str, viewer: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Declare the scope of an endpoint, or PUBLIC. `viewer`: its requests last as long as somebody watches."""
    def declare(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__.update(scope=scope, viewer=viewer)
        return endpoint

    return declare


class Authenticator:
    """Identifies callers by API key, Entra ID token, session cookie or WebSocket ticket."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings.auth
        self.keys = KeyStore(settings.state)
        self.signer = TokenSigner(self.keys.derived("tokens"))
        self.limiter = RateLimiter(settings.limits)
        self.entra = EntraVerifier(settings.auth.entra) if settings.auth.entra else None

    async def identify(self, connection: HTTPConnection) -> Identity:
        """The caller. Raises Unauthorized, Forbidden or RateLimited."""
        address = client_address(connection)
        if not self.settings.enabled:
            if address not in (*LOOPBACK, "unknown"):
                raise Forbidden("authentication is off: only requests from this machine are accepted")
            self._check_origin(connection)
            return LOCAL_ADMIN
        identity = await self._identity(connection)
        if identity is None:
            if _has_credentials(connection):
                self.limiter.failed(address)
            raise Unauthorized("a valid key is required")
        return identity

    async def bearer(self, token: str) -> Identity | None:
        """The holder of an API key or an Entra ID token; None where it is not valid."""
        if token.startswith("pb_"):
            key = self.keys.verify(token)
            return None if key is None else key.identity
        return await asyncio.to_thread(self.entra.verify, token) if self.entra is not None and token else None

    async def _identity(self, connection: HTTPConnection) -> Identity | None:
        if connection.scope["type"] == "websocket":
            self._check_origin(connection)
            return self._still_valid(self.signer.take_ticket(connection.query_params.get("ticket", "")))
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return await self.bearer(token.strip())
        if COOKIE not in connection.cookies:
            return None
        if connection.scope["method"] not in _SAFE_METHODS:
            self._check_origin(connection)
        key = self.keys.valid(self.signer.session_caller(connection.cookies[COOKIE]) or "")
        return None if key is None else key.identity

    def _still_valid(self, identity: Identity | None) -> Identity | None:
        """The holder of a ticket, unless their key has been revoked since."""
        if identity is None or identity.id.startswith("entra:"):
            return identity
        key = self.keys.valid(identity.id)
        return None if key is None else key.identity

    def _check_origin(self, connection: HTTPConnection) -> None:
        """A browser states the page's origin; it must be the service's own."""
        origin = connection.headers.get("origin")
        if origin is None or origin in self.settings.origins:
            return
        if urlsplit(origin).netloc != connection.headers.get("host"):
            raise Forbidden("the request comes from another site")


async def authenticate(connection: HTTPConnection) -> AsyncIterator[None]:
    """The dependency. Sets `connection.state.identity`, and counts the request while it lasts."""
    authenticator: Authenticator = connection.app.state.authenticator
    endpoint = connection.scope["endpoint"]
    scope = getattr(endpoint, "scope", "admin")
    if scope == PUBLIC:
        yield
        return
    try:
        identity = await authenticator.identify(connection)
        if not identity.may(scope):
            raise Forbidden(f"the scope {scope!r} is required; the key has {', '.join(identity.scopes)}")
        connection.state.identity = identity
        with authenticator.limiter.admitted(identity.id, getattr(endpoint, "viewer", False)):
            yield
    except PosebotError as error:
        if connection.scope["type"] == "websocket":
            raise WebSocketException(1008, str(error)) from None
        raise


def client_address(connection: HTTPConnection) -> str:
    """IP address of the peer, "unknown" where the server does not say."""
    return connection.client.host if connection.client else "unknown"


def _has_credentials(connection: HTTPConnection) -> bool:
    """Whether credentials were sent at all: a visitor without any is not counted as a failure."""
    return "authorization" in connection.headers or COOKIE in connection.cookies or "ticket" in connection.query_params
