"""References to bundles: what `--bundle` takes, and where the bundle lies."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import posebot
from posebot.core.errors import BundleError, MissingFileError
from posebot.models.manifest import MANIFEST

DATA_PACKAGE = "posebot_bundles"
"""The Python package with further bundles; in a checkout it lies in packages/posebot-bundles."""
PACKAGED = "packaged"
"""`kit@packaged` is the bundle of that name even where the working directory has a `kit` of its own."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Registry = Callable[[str, str], Path]
"""Gives the folder of a registered bundle from its name and a version or alias ("3", "champion")."""


@dataclass(frozen=True)
class Reference:
    """A parsed reference.

    Attributes:
        kind: "path"; "name", a known bundle or a path in the working directory; "packaged", a known bundle;
            "registry". target: path or name. version: of the registry, a number or an alias.
    """

    kind: Literal["path", "name", "packaged", "registry"]
    target: str
    version: str = ""


def parse_reference(text: str) -> Reference:
    """Parse `kit`, `./kit`, `kit.zip`, `kit@packaged`, `kit@3` or `kit@champion`. Nothing is looked up.

    Raises:
        BundleError: empty, or a version that is neither a number nor an alias.
    """
    if not text:
        raise BundleError("bundle", "no name", "a name such as kit, a folder or a zip", code="unknown_bundle")
    if "/" in text or os.sep in text or text.startswith((".", "~")) or text.endswith(".zip"):
        return Reference("path", text)
    name, at, version = text.partition("@")
    if not at:
        return Reference("name", text)
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(version):
        raise BundleError(text, "is not a reference to a bundle", "NAME@VERSION or NAME@ALIAS", code="unknown_bundle")
    return Reference("packaged", name) if version == PACKAGED else Reference("registry", name, version)


def resolve(reference: str | Path, registry: Registry | None = None) -> Path:
    """Where a bundle lies.

    Args:
        reference: text, see `parse_reference`; a `Path` is a path even where it looks like a name.
        registry: gives registered versions; without one, such references are refused.
    Raises:
        BundleError: unknown (`unknown_bundle`), both a known name and a path (`ambiguous_bundle`), or a registered
            version without a registry (`no_registry`).
        MissingFileError: no such path.
    """
    if isinstance(reference, Path) and reference.exists():
        return reference
    parsed = parse_reference(str(reference))
    if parsed.kind == "registry":
        if registry is None:
            raise BundleError(reference, "a version of the model registry, and none is configured",
                              f"{parsed.target}, a folder or a zip", code="no_registry")
        return registry(parsed.target, parsed.version)
    if parsed.kind == "path":
        path = Path(parsed.target).expanduser()
        if path.exists():
            return path
        raise MissingFileError(reference, "no such file or folder", "a bundle's folder or zip")
    return _by_name(parsed)


def _by_name(reference: Reference) -> Path:
    name, known = reference.target, known_bundles()
    local = Path(name)
    if reference.kind == "name" and local.exists():
        if name in known and not local.samefile(known[name]):
            raise BundleError(name, f"is both the bundle {known[name]} and {local.absolute()}",
                              f"{name}@{PACKAGED} for the first, ./{name} for the second", code="ambiguous_bundle")
        return local
    if name in known:
        return known[name]
    here = [f"./{folder.parent}" for folder in sorted(Path().glob(f"bundles/*/{MANIFEST}"))]
    raise BundleError(name, "no such bundle", " or ".join(["a folder, a zip", *sorted(known), *here]),
                      code="unknown_bundle")


def known_bundles() -> dict[str, Path]:
    """Folders of the bundles that have a name: those inside posebot, of the package `posebot_bundles` (installed, or
    in the checkout), and those that `posebot models fetch` wrote. The first of a name counts."""
    known: dict[str, Path] = {}
    for home in _homes():
        for entry in sorted(home.glob(f"*/{MANIFEST}")):
            if not entry.parent.name.startswith("."):
                known.setdefault(entry.parent.name, entry.parent)
    return known


def user_bundles() -> Path:
    """The folder of fetched bundles: $XDG_DATA_HOME/posebot/bundles, by default below ~/.local/share."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "posebot" / "bundles"


def _homes() -> Iterator[Path]:
    package = Path(posebot.__file__).parent
    yield package / "bundles"
    spec = find_spec(DATA_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(location)
    yield package.parent / "packages" / "posebot-bundles" / DATA_PACKAGE
    yield user_bundles()
