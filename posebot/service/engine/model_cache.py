"""Bundles that are loaded, by their names in the configuration."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from posebot.core.errors import BundleError
from posebot.models.bundle import SUMS, Bundle, file_sha256, resolve

T = TypeVar("T")


@dataclass(frozen=True)
class LoadedModel(Generic[T]):
    """A bundle and what was built of it. digest: see `digest_of`."""

    name: str
    digest: str
    bundle: Bundle
    parts: T


class ModelCache(Generic[T]):
    """Loads each bundle once and keeps the last few: a stream may use another one than the active, and answers that
    were begun with the old one are finished with it. May be used from many threads.

    Args:
        sources: path or packaged name of each bundle. build: makes what is needed of a bundle, its name and digest.
        most: how many are kept.
    """

    def __init__(self, sources: Mapping[str, str], build: Callable[[Bundle, str, str], T], most: int = 3) -> None:
        self._sources, self._build, self._most = dict(sources), build, most
        self._loaded: OrderedDict[tuple[str, str], LoadedModel[T]] = OrderedDict()
        self._newest: dict[str, str] = {}
        self._lock, self._loading = threading.Lock(), threading.Lock()

    def get(self, name: str, digest: str | None = None) -> LoadedModel[T]:
        """The bundle, loaded if it is not; with a digest, in that state, if it is loaded or still on the disk.

        Raises:
            InputError: it is not in the configuration, or cannot be opened.
        """
        found = self._found(name, digest)
        if found is not None:
            return found
        with self._loading:
            return self._found(name, digest) or self._load(name)

    def _found(self, name: str, digest: str | None) -> LoadedModel[T] | None:
        with self._lock:
            key = (name, self._newest.get(name, "") if digest is None else digest)
            if key not in self._loaded:
                return None
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def _load(self, name: str) -> LoadedModel[T]:
        source = self.source(name)
        digest = digest_of(source)
        bundle = Bundle.open(source)
        loaded = LoadedModel(name, digest, bundle, self._build(bundle, name, digest))
        with self._lock:
            self._loaded[name, digest] = loaded
            self._newest[name] = digest
            while len(self._loaded) > self._most:
                self._loaded.popitem(last=False)
        return loaded

    def source(self, name: str) -> str:
        """Path or packaged name. Raises InputError where the configuration has no such bundle."""
        if name not in self._sources:
            raise BundleError("bundle", f"{name!r:.80} is not known here", f"one of {', '.join(self._sources)}",
                              code="unknown_bundle")
        return self._sources[name]


def digest_of(source: str) -> str:
    """What tells two states of a bundle apart: the hash of its list of hashes (of the file, for a zip)."""
    path: Path = resolve(source)
    if not path.is_dir():
        return file_sha256(path)
    sums = path / SUMS
    return hashlib.sha256(sums.read_bytes()).hexdigest() if sums.is_file() else ""
