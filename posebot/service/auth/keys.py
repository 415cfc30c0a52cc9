"""API keys `pb_<id>_<secret>`. The secret is shown once; only its HMAC is stored, readable by the owner alone."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from posebot.core.errors import InputError
from posebot.core.files import write_atomic
from posebot.service.auth.identity import SCOPES, Identity

_SCHEMA = 1


@dataclass(frozen=True)
class Key:
    """One key, without its secret. Times are seconds since 1970; `expires_at` None: never. digest: hex HMAC-SHA256."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float | None
    digest: str
    revoked_at: float | None = None

    def valid(self, now: float) -> bool:
        """Whether it is accepted now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def identity(self) -> Identity:
        """The caller that uses this key."""
        return Identity(self.id, self.name, self.scopes, self.expires_at)


class KeyStore:
    """The keys of one service, in `folder` (`keys.json`, `secret`). Changes by other processes take effect at once."""

    def __init__(self, folder: str | Path, clock: Callable[[], float] = time.time) -> None:
        self.folder, self._clock = Path(folder), clock
        self.file = self.folder / "keys.json"
        self._cached: tuple[tuple[int, int], dict[str, Key]] = ((0, 0), {})
        self.folder.mkdir(parents=True, exist_ok=True)
        self._secret = _secret(self.folder / "secret")

    def derived(self, purpose: str) -> bytes:
        """A derived secret of 32 bytes for another purpose, such as signing cookies."""
        return hmac.digest(self._secret, purpose.encode(), "sha256")

    def create(self, name: str, scopes: Sequence[str], days: float | None = None) -> tuple[Key, str]:
        """A new key and its text, which cannot be recovered later.

        Raises:
            InputError: an unknown scope, or an expiry that is not in the future.
        """
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            raise InputError("--scope", f"{unknown[0]!r} is unknown" if unknown else "none given", ", ".join(SCOPES))
        if days is not None and not 0 < days < 36_500:
            raise InputError("--days", f"{days:g}", "more than 0")
        now, secret = self._clock(), secrets.token_urlsafe(24)
        expires = None if days is None else now + days * 86_400
        key = Key(secrets.token_hex(4), name, tuple(scopes), now, expires, self._digest(secret))
        with self._update() as keys:
            keys[key.id] = key
        return key, f"pb_{key.id}_{secret}"

    def revoke(self, key_id: str) -> Key:
        """Revoke a key, effective immediately. Raises InputError where there is none of this id."""
        with self._update() as keys:
            if key_id not in keys:
                raise InputError("key", f"{key_id!r} is unknown", "an id that `posebot keys list` shows")
            keys[key_id] = replace(keys[key_id], revoked_at=keys[key_id].revoked_at or self._clock())
            return keys[key_id]

    def all(self) -> list[Key]:
        """All keys, the oldest first, including revoked and expired ones."""
        return list(self._load().values())

    def verify(self, text: str) -> Key | None:
        """The key with this text if it is valid, else None."""
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self.valid(key_id) if prefix == "pb" and secret else None
        expected = key.digest if key is not None else "0" * 64  # constant time, whether the id is known or not
        return key if hmac.compare_digest(self._digest(secret), expected) else None

    def valid(self, key_id: str) -> Key | None:
        """The key with this id if it is valid now, else None."""
        key = self._load().get(key_id)
        return key if key is not None and key.valid(self._clock()) else None

    def _digest(self, secret: str) -> str:
        return hmac.new(self._secret, b"key:" + secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def _load(self) -> dict[str, Key]:
        try:
            stat = self.file.stat()
        except FileNotFoundError:
            return {}
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._cached[0]:
            data = json.loads(self.file.read_text())
            if data.get("schema") != _SCHEMA:
                raise InputError(self.file, f"schema {data.get('schema')!r}", f"this posebot reads schema {_SCHEMA}")
            keys = {entry["id"]: Key(**(entry | {"scopes": tuple(entry["scopes"])})) for entry in data["keys"]}
            self._cached = stamp, keys
        return self._cached[1]

    @contextmanager
    def _update(self) -> Iterator[dict[str, Key]]:
        """The keys, to be modified; written when the block ends. One process at a time."""
        with (self.folder / "keys.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = dict(self._load())
            yield keys
            data = {"schema": _SCHEMA, "keys": [asdict(key) for key in keys.values()]}
            write_atomic(self.file, json.dumps(data, indent=1), mode=0o600)


def _secret(path: Path) -> bytes:
    """32 random bytes, created by the first call."""
    with suppress(FileExistsError):
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            os.link(partial, path)  # fails if it exists: the first one stays
        finally:
            partial.unlink()
    secret = path.read_bytes()
    if len(secret) != 32:
        raise InputError(path, f"has {len(secret)} bytes", "the 32 that posebot wrote; without them no key is valid")
    return secret
