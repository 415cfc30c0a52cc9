"""Reading zip files from outside: no entry leaves its folder, none grows without limit."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from posebot.core.errors import BundleError

MAX_BYTES = 2 << 30
"""Of all entries, unpacked."""
MAX_ENTRIES = 10_000
_CHUNK = 1 << 20


def unzip(path: Path, folder: Path, prefix: str = "") -> None:
    """Unpack a zip file (a wheel is one) into `folder`.

    Args:
        prefix: unpack only what lies below this folder of the archive ("name/"), without it.
    Raises:
        BundleError: not a whole zip file; an entry that is a link or has a path outside the folder; more than
            `MAX_BYTES` unpacked, counted while unpacking, or `MAX_ENTRIES`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise BundleError(path, f"holds {len(entries)} files", "a posebot bundle")
            left = MAX_BYTES
            for entry in entries:
                target = folder / _inside(path, entry).as_posix().removeprefix(prefix)
                if entry.filename.startswith(prefix) and not entry.is_dir():
                    left = _unpack(path, archive, entry, target, left)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise BundleError(path, f"is not a whole zip file ({error})", "a bundle folder or a zip of it") from error


def bundle_prefixes(path: Path, marker: str) -> list[str]:
    """Folders of a zip file (as "a/b/", "" for the top) that hold a file `marker`. Raises BundleError as `unzip`."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(name.removesuffix(marker) for name in archive.namelist()
                          if PurePosixPath(name).name == marker)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise BundleError(path, f"is not a whole zip file ({error})", "a bundle folder or a zip of it") from error


def _inside(path: Path, entry: zipfile.ZipInfo) -> PurePosixPath:
    name = PurePosixPath(entry.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in name.parts[:1]:
        raise BundleError(path, f"an entry leaves the archive: {entry.filename[:80]!r}", "a posebot bundle")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise BundleError(path, f"an entry is a link: {entry.filename[:80]!r}", "a posebot bundle")
    return name


def _unpack(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise BundleError(path, f"unpacks to more than {MAX_BYTES >> 30} GiB", "a posebot bundle")
            file.write(chunk)
    return left
