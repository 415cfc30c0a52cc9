"""Model activation: which model is used where a request names none, in every replica and after a restart."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from posebot.core.errors import InputError
from posebot.core.files import write_atomic
from posebot.service.engine.model_cache import ModelKey, digest_of
from posebot.service.errors import TimedOut
from posebot.service.settings import Settings

_TIMEOUT_S, _POLL_S = 120.0, 0.1


class Rollout(Protocol):
    """Makes all replicas load and use a model. Blocks: call it in a thread."""

    def start(self, model: ModelKey) -> None:
        """Begin; replicas serve the previous model until they have loaded this one."""

    def finished(self) -> bool:
        """Whether every replica is healthy again."""


class ModelActivator:
    """Activates a model in all replicas, one activation at a time.

    Args:
        rollout: passes the activation on to the replicas. active: name of the model that this replica uses now.
    """

    def __init__(self, settings: Settings, rollout: Rollout, active: Callable[[], str]) -> None:
        self._settings, self._rollout, self._active = settings, rollout, active
        self._lock = asyncio.Lock()

    async def activate(self, name: str, digest: str) -> None:
        """Returns when every replica uses the model.

        Raises:
            TimedOut: that takes more than two minutes; replicas that have not loaded it serve the previous one.
        """
        async with self._lock:
            save_active_model(self._settings.state, name)
            await asyncio.to_thread(self._rollout.start, (name, digest))
            deadline = time.monotonic() + _TIMEOUT_S
            while self._active() != name or not await asyncio.to_thread(self._rollout.finished):
                if time.monotonic() > deadline:
                    raise TimedOut(f"{name} is not active in every replica after {_TIMEOUT_S:.0f} s")
                await asyncio.sleep(_POLL_S)


def initial_model(settings: Settings) -> ModelKey:
    """The model to start with: the one activated last, else the configuration's.

    Raises:
        InputError: the configuration's bundle cannot be found.
    """
    last = _saved_active_model(settings.state)
    if last in settings.bundles and last != settings.active:
        try:
            return last, digest_of(settings.bundles[last])
        except InputError:
            pass
    return settings.active, digest_of(settings.bundles[settings.active])


def save_active_model(state: Path, name: str) -> None:
    """Remember the active model over restarts."""
    state.mkdir(parents=True, exist_ok=True)
    write_atomic(state / "active.json", json.dumps({"active": name}))


def _saved_active_model(state: Path) -> str:
    try:
        return str(json.loads((state / "active.json").read_text())["active"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
