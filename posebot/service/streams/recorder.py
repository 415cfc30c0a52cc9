"""Recordings of a stream: JSON lines and MCAP files, rotated by size, the oldest removed.

Everything written is flushed to the disk every second: a crash, even of the machine, loses at most that.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from posebot.service.settings import RecordingSettings
from posebot.service.streams.mcap_writer import StreamMcapWriter
from posebot.service.streams.output import StreamOutput

_SYNC_S = 1.0
_FILE_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z\.(jsonl|mcap)")


class _Writer(Protocol):
    def write(self, output: StreamOutput) -> None: ...

    def flush(self) -> None: ...

    def finish(self) -> None: ...


class Recorder:
    """Writes every output of a stream into `folder`. Not thread-safe."""

    def __init__(self, folder: Path, settings: RecordingSettings, stream: str) -> None:
        self.folder, self.settings, self.stream = folder, settings, stream
        self.folder.mkdir(parents=True, exist_ok=True)
        self._open_files: dict[str, tuple[BinaryIO, _Writer]] = {}
        self._synced_at = time.monotonic()

    def write(self, output: StreamOutput) -> None:
        """Add a result. Raises OSError where the disk is full."""
        for kind in [kind for kind in ("jsonl", "mcap") if getattr(self.settings, kind)]:
            file, writer = self._writer(kind)
            writer.write(output)
            if file.tell() > self.settings.megabytes * 1e6:
                self._close(kind)
        if time.monotonic() - self._synced_at >= _SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Flush all files to the disk."""
        self._synced_at = time.monotonic()
        for file, writer in self._open_files.values():
            writer.flush()
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Finish all files."""
        for kind in list(self._open_files):
            self._close(kind)

    def status(self) -> dict[str, Any]:
        """See `schemas.streams.Recording`."""
        files = _recordings(self.folder)
        return {"files": [file.name for file in files], "bytes": sum(file.stat().st_size for file in files)}

    def _writer(self, kind: str) -> tuple[BinaryIO, _Writer]:
        if kind not in self._open_files:
            for old in [file for file in _recordings(self.folder) if file.suffix == f".{kind}"][:-self.settings.keep]:
                old.unlink(missing_ok=True)
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f".{time.time_ns() // 10**6 % 1000:03d}Z"
            file = (self.folder / f"{stamp}.{kind}").open("xb")
            writer = _JsonLinesWriter(file) if kind == "jsonl" else StreamMcapWriter(file, self.stream)
            self._open_files[kind] = file, writer
        return self._open_files[kind]

    def _close(self, kind: str) -> None:
        file, writer = self._open_files.pop(kind)
        writer.finish()
        file.close()


class _JsonLinesWriter:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, output: StreamOutput) -> None:
        self._file.write(output.result.to_json().encode() + b"\n")
        self._file.flush()

    def flush(self) -> None:
        """Nothing is buffered."""

    def finish(self) -> None:
        """A file of lines has no end."""


def _recordings(folder: Path) -> list[Path]:
    """The oldest first."""
    return sorted(file for file in folder.iterdir() if _FILE_NAME.fullmatch(file.name))
