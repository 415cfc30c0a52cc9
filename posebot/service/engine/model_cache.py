"""Model cache: loaded models, by their names in the configuration."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from posebot.core.errors import BundleError
from posebot.models.bundle import SUMS, Bundle, file_sha256
from posebot.models.reference import resolve

T = TypeVar("T")
ModelKey = tuple[str, str]
"""Name in the configuration and digest of the bundle's content."""


@dataclass(frozen=True)
class LoadedModel(Generic[T]):
    """A bundle and what `ModelCache` built from it (`instance`: a pipeline, a network, a solver)."""

    name: str
    digest: str
    bundle: Bundle
    instance: T


class ModelCache(Generic[T]):
    """Loads each model once and keeps the most recently used ones. Thread-safe.

    More than one is kept because a stream may use another model than the active one, and because requests that are in
    progress finish with the model they started with.

    Args:
        sources: path or packaged name of each bundle. build: makes the instance from a bundle, its name and digest.
        capacity: number of models that are kept.
    """

    def __init__(self, sources: Mapping[str, str], build: Callable[[Bundle, str, str], T], capacity: int = 3) -> None:
        self._sources, self._build, self._capacity = dict(sources), build, capacity
        self._loaded: OrderedDict[ModelKey, LoadedModel[T]] = OrderedDict()
        self._newest: dict[str, str] = {}
        self._lock, self._loading = threading.Lock(), threading.Lock()

    def get(self, name: str, digest: str | None = None) -> LoadedModel[T]:
        """The model, loaded on demand. `digest`: this content, if it is still cached or on the disk.

        Raises:
            InputError: it is not in the configuration, or cannot be opened.
        """
        return self._cached(name, digest) or self._load_once(name, digest)

    def source(self, name: str) -> str:
        """Path or packaged name of the bundle. Raises BundleError where the configuration has none of this name."""
        if name not in self._sources:
            raise BundleError("bundle", f"{name!r:.80} is unknown", f"one of {', '.join(self._sources)}",
                              code="unknown_bundle")
        return self._sources[name]

    def _cached(self, name: str, digest: str | None) -> LoadedModel[T] | None:
        with self._lock:
            key = (name, self._newest.get(name, "") if digest is None else digest)
            if key not in self._loaded:
                return None
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def _load_once(self, name: str, digest: str | None) -> LoadedModel[T]:
        with self._loading:
            return self._cached(name, digest) or self._load(name)

    def _load(self, name: str) -> LoadedModel[T]:
        source = self.source(name)
        digest = digest_of(source)
        bundle = Bundle.open(source)
        model = LoadedModel(name, digest, bundle, self._build(bundle, name, digest))
        with self._lock:
            self._loaded[name, digest] = model
            self._newest[name] = digest
            while len(self._loaded) > self._capacity:
                self._loaded.popitem(last=False)
        return model


def digest_of(source: str) -> str:
    """Identifies a bundle's content: SHA-256 of its list of checksums, or of the file for a zip."""
    path: Path = resolve(source)
    if not path.is_dir():
        return file_sha256(path)
    sums = path / SUMS
    return hashlib.sha256(sums.read_bytes()).hexdigest() if sums.is_file() else ""
