"""Atomic file writes: a reader sees the old content or the new content, never a part of it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomic(path: str | Path, data: str | bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Write a file through a temporary file in the same folder and a rename. The folder must exist.

    Args:
        data: text is written as UTF-8, without translation of line ends. mode: permission bits such as 0o600;
            None: those that the umask allows. durable: flush file and folder to the disk, so that the content survives
            a power cut; False saves some milliseconds a file where thousands are written (image sequences).
    Raises:
        OSError: the folder is missing, full or not writable. The temporary file is removed.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    content = data.encode() if isinstance(data, str) else data
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode or 0o666), "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename inside a folder durable, where the operating system can open folders (Windows cannot)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
