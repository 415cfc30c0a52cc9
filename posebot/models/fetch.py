"""`posebot models fetch`: bundles from a wheel, zip, folder or address that the user names, verified, into the user's
data folder."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import posebot
from posebot.core.errors import BundleError, InputError, MissingFileError, OutputError, PlatformLostError
from posebot.models.archive import bundle_prefixes, unzip
from posebot.models.bundle import SUMS, Bundle, file_sha256, put_in_place
from posebot.models.manifest import MANIFEST
from posebot.models.reference import user_bundles

PINS = Path(__file__).with_name("known_bundles.json")
"""SHA-256 of the SHA256SUMS of each released bundle, by name and version."""
_MAX_DOWNLOAD = 1 << 30
_CHUNK = 1 << 20
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Fetched:
    """A bundle that was written.

    Attributes:
        sums_sha256: SHA-256 of its SHA256SUMS, which covers every file. verified: against posebot's own pin, against
            the `sha256` that was given, or not at all ("no").
    """

    name: str
    version: str
    folder: Path
    sums_sha256: str
    verified: Literal["pinned", "given", "no"]


def fetch(source: str, name: str = "", to: Path | None = None, sha256: str = "") -> list[Fetched]:
    """Fetch the bundles of a source into a folder; an older one of the same name there is replaced.

    Args:
        source: path of a wheel, a zip or a folder, or an http(s) address of a wheel or zip. name: of the only bundle to
            take; all by default. to: folder that gets a folder for each bundle, by default `user_bundles()`.
        sha256: expected of the wheel or zip (of SHA256SUMS where the source is a folder).
    Raises:
        BundleError: no bundle of that name, damaged, or another hash than the one pinned or given.
        PlatformLostError: the address cannot be reached.
    """
    home = to or user_bundles()
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=home) as folder, _local(source, Path(folder)) as local:
        if sha256 and local.is_file() and file_sha256(local) != sha256.lower():
            raise BundleError(source, f"has the SHA-256 {file_sha256(local)}", f"{sha256}, as --sha256 says")
        found = list(_bundles(local, Path(folder), name))
        if not found:
            raise BundleError(source, f"holds no bundle {name}".rstrip(), f"a folder with {MANIFEST}")
        checked = [(part, _verified(part, source, sha256, local.is_dir())) for part in found]
        return [_placed(part, home, result) for part, result in checked]


@lru_cache(maxsize=1)
def pins() -> dict[str, dict[str, str]]:
    """Name to version to SHA-256 of SHA256SUMS, of the bundles that posebot knows."""
    data: dict[str, dict[str, str]] = json.loads(PINS.read_text("utf-8"))
    return data


def _verified(folder: Path, source: str, sha256: str, from_folder: bool) -> Fetched:
    """Check a bundle's files against its SHA256SUMS, and that against the pin or the hash that was given."""
    manifest, digest = Bundle.open(folder).manifest, file_sha256(folder / SUMS)
    pinned = pins().get(manifest.name, {}).get(manifest.version)
    if pinned is not None and digest != pinned:
        raise BundleError(source, f"is not the {manifest.name} {manifest.version} that posebot knows: the SHA-256 of "
                          f"its {SUMS} is {digest}", pinned)
    if sha256 and from_folder and digest != sha256.lower():
        raise BundleError(source, f"the SHA-256 of {SUMS} is {digest}", f"{sha256}, as --sha256 says")
    kind: Literal["pinned", "given", "no"] = "pinned" if pinned else "given" if sha256 else "no"
    return Fetched(manifest.name, manifest.version, folder, digest, kind)


def _placed(folder: Path, home: Path, result: Fetched) -> Fetched:
    if not result.name or Path(result.name).name != result.name or result.name.startswith("."):
        raise BundleError(folder, f"name {result.name!r:.60}", "a name that can be a folder's")
    target = home / result.name
    if target.exists() and not (target / MANIFEST).is_file():
        raise OutputError(target, "exists and is not a bundle", "another --to")
    put_in_place(folder, target)
    return Fetched(result.name, result.version, target, result.sums_sha256, result.verified)


def _bundles(local: Path, folder: Path, name: str) -> Iterator[Path]:
    """Copies of the source's bundles in `folder`."""
    if local.is_dir():
        below = sorted(entry.parent for entry in local.glob(f"*/{MANIFEST}"))
        homes = [local] if (local / MANIFEST).is_file() else below
        for number, home in enumerate(homes):
            if name in ("", home.name) or (len(homes) == 1 and Bundle.open(home).manifest.name == name):
                shutil.copytree(home, folder / str(number))
                yield folder / str(number)
        return
    for number, prefix in enumerate(bundle_prefixes(local, MANIFEST)):
        unzip(local, folder / str(number), prefix)
        if name in ("", Bundle.open(folder / str(number)).manifest.name):
            yield folder / str(number)


@contextmanager
def _local(source: str, folder: Path) -> Iterator[Path]:
    """The source as a local file or folder; an address is downloaded into `folder`."""
    if not source.startswith(("http://", "https://")):
        path = Path(source).expanduser()
        if not path.exists():
            raise MissingFileError(source, "no such file or folder", "a wheel, zip or folder, or an http(s) address")
        yield path
        return
    target = folder / "download"
    _download(source, target)
    yield target


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Redirects stay on http(s); from https they do not go back to http."""

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> urllib.request.Request | None:
        allowed = ("https",) if req.full_url.startswith("https://") else ("http", "https")
        if urllib.parse.urlsplit(newurl).scheme not in allowed:
            raise InputError(_shown(req.full_url), f"redirects to {_shown(newurl)}", "an http(s) address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(address: str, target: Path) -> None:
    request = urllib.request.Request(address, headers={"User-Agent": f"posebot/{posebot.__version__}"})
    try:
        with (urllib.request.build_opener(_HttpOnly).open(request, timeout=_TIMEOUT_S) as answer,
              target.open("wb") as file):
            expected, size = answer.headers.get("Content-Length"), 0
            while chunk := answer.read(_CHUNK):
                size += len(chunk)
                if size > _MAX_DOWNLOAD:
                    raise BundleError(_shown(address), f"is larger than {_MAX_DOWNLOAD >> 30} GiB", "a posebot bundle")
                file.write(chunk)
            if expected is not None and int(expected) != size:
                raise PlatformLostError(_shown(address), f"ended after {size} of {expected} bytes", "try again")
    except urllib.error.HTTPError as error:
        raise BundleError(_shown(address), f"answers {error.code} {error.reason}", "the address of a wheel or zip"
                          ) from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise PlatformLostError(_shown(address), f"cannot be reached ({getattr(error, 'reason', error)})",
                                "check the address and the network") from None


def _shown(address: str) -> str:
    """The address without credentials and query, which may hold a token."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
