"""Tokens signed by the service: session cookies of the page, and tickets for one WebSocket each."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any

import jwt

from posebot.service.auth.identity import Identity

COOKIE = "posebot_session"
SESSION_S, TICKET_S = 12 * 3600.0, 30.0


class TokenSigner:
    """Issues and verifies tokens. They name a caller; scopes are looked up at each request, so that a revocation is
    effective immediately.

    Args:
        secret: 32 bytes, the same in every replica.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._used: dict[str, float] = {}
        self._lock = threading.Lock()

    def session(self, identity: Identity) -> str:
        """The value of the cookie."""
        return self._issue({"sub": identity.id}, "session", SESSION_S)

    def session_caller(self, token: str) -> str | None:
        """The id of the caller that a cookie names; None where it is not valid."""
        claims = self._claims(token, "session")
        return None if claims is None else str(claims["sub"])

    def ticket(self, identity: Identity) -> str:
        """A token that opens one WebSocket."""
        return self._issue(identity.claims(), "ticket", TICKET_S)

    def take_ticket(self, token: str) -> Identity | None:
        """The holder of a ticket at its first use; None after that, or where it is not valid."""
        claims = self._claims(token, "ticket")
        if claims is None:
            return None
        token_id, now = str(claims["jti"]), time.time()
        with self._lock:
            self._used = {used: until for used, until in self._used.items() if until > now}
            if token_id in self._used:
                return None
            self._used[token_id] = now + TICKET_S + 1
        return Identity.from_claims(claims)

    def _issue(self, claims: dict[str, Any], purpose: str, seconds: float) -> str:
        registered = {"aud": purpose, "exp": time.time() + seconds, "jti": secrets.token_hex(8)}
        return jwt.encode(claims | registered, self._secret, algorithm="HS256")

    def _claims(self, token: str, purpose: str) -> dict[str, Any] | None:
        try:
            return dict(jwt.decode(token, self._secret, algorithms=["HS256"], audience=purpose,
                                   options={"require": ["sub", "exp", "jti"]}))
        except (jwt.InvalidTokenError, ValueError):
            return None
