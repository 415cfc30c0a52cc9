"""Callers and their scopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCOPES = ("read", "infer", "operate", "admin")
"""Each includes those before it."""
PUBLIC = "public"


@dataclass(frozen=True)
class Identity:
    """A caller: an API key (`id` = the key's), or a person or program of Entra ID (`entra:…`)."""

    id: str
    name: str
    scopes: tuple[str, ...]
    expires_at: float | None = None

    def may(self, scope: str) -> bool:
        """Whether one of the scopes is `scope` or includes it."""
        return any(SCOPES.index(own) >= SCOPES.index(scope) for own in self.scopes)

    def claims(self) -> dict[str, Any]:
        """For a token signed by the service."""
        return {"sub": self.id, "name": self.name, "scopes": list(self.scopes), "until": self.expires_at}

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Identity:
        """Inverse of `claims`."""
        return cls(claims["sub"], claims["name"], tuple(claims["scopes"]), claims["until"])


LOCAL_ADMIN = Identity("local", "authentication is off", ("admin",))
"""The caller on loopback where authentication is off."""
