"""Microsoft Entra ID: validates bearer tokens, and maps app roles to scopes.

Claims as in https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference (version 2.0 tokens).
"""

from __future__ import annotations

import threading
import time
from typing import Any

import jwt

from posebot.service.auth.identity import SCOPES, Identity
from posebot.service.settings import Entra

_REFETCH_S = 30.0


class EntraVerifier:
    """Validates tokens: RS256 only; issuer, audience, tenant, times, roles.

    The tenant's public keys are fetched from its JWKS endpoint and cached for an hour; a token signed with an unknown
    key triggers another fetch, at most every 30 seconds.
    """

    def __init__(self, settings: Entra) -> None:
        self._settings = settings
        base = f"{settings.authority.rstrip('/')}/{settings.tenant}"
        self.issuer = f"{base}/v2.0"
        self._jwks = jwt.PyJWKClient(f"{base}/discovery/v2.0/keys", cache_jwk_set=False, timeout=5)
        self._keys: dict[str, Any] = {}
        self._fetched = float("-inf")
        self._lock = threading.Lock()

    def verify(self, token: str) -> Identity | None:
        """The holder of a valid token with at least one known role, else None. May wait for the network."""
        try:
            header = jwt.get_unverified_header(token)
            key = self._key(str(header.get("kid"))) if header.get("alg") == "RS256" else None
            if key is None:
                return None
            claims = jwt.decode(token, key, algorithms=["RS256"], audience=self._settings.audience, issuer=self.issuer,
                                leeway=30, options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "tid"]})
        except (jwt.PyJWTError, ValueError):
            return None
        if claims["tid"] != self._settings.tenant:
            return None
        scopes = self._scopes(claims.get("roles"))
        name = str(claims.get("name") or claims.get("azp") or claims["sub"])
        return Identity(f"entra:{claims['sub']}", name, scopes, float(claims["exp"])) if scopes else None

    def _scopes(self, roles: Any) -> tuple[str, ...]:
        names = roles if isinstance(roles, list) else []
        granted = {scope for role in names if isinstance(role, str) for scope in self._settings.roles.get(role, ())}
        return tuple(scope for scope in SCOPES if scope in granted)

    def _key(self, kid: str) -> Any:
        with self._lock:
            age = time.monotonic() - self._fetched
            if age > 3600 or (kid not in self._keys and age > _REFETCH_S):
                self._fetched = time.monotonic()
                self._keys = {str(key.key_id): key.key for key in self._jwks.get_jwk_set().keys
                              if key.key_type == "RSA" and key.public_key_use in (None, "sig")}
            return self._keys.get(kid)
