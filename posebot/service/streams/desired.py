"""Which streams should run, kept in a file: what was started over the API runs again after a restart."""

from __future__ import annotations

import json
from pathlib import Path

from posebot.core.files import write_atomic
from posebot.service.settings import Settings


class DesiredStreams:
    """The desired state of each stream; the configuration's `autostart` until it is started or stopped."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.state / "streams.json"
        self._autostart = {name: settings.stream(name).autostart for name in settings.cameras}

    def set(self, name: str, running: bool) -> None:
        """Save the desired state of a stream."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._file, json.dumps(_read(self._file) | {name: running}))

    def names(self) -> list[str]:
        """The streams that should run."""
        saved = _read(self._file)
        return [name for name, autostart in self._autostart.items() if saved.get(name, autostart)]


def _read(path: Path) -> dict[str, bool]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): bool(running) for name, running in data.items()} if isinstance(data, dict) else {}
