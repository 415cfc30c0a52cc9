"""A bundle: the folder (or a zip of it) that holds all that inference needs. See docs/explanation/architecture.md."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from posebot.core.errors import BundleError, OutputError
from posebot.core.objects import ObjectModel
from posebot.models.archive import unzip
from posebot.models.manifest import MANIFEST, Manifest, read_manifest
from posebot.models.reference import resolve

SUMS, DETECTOR, LOCALIZER, MODELS = "SHA256SUMS", "detector.onnx", "localizer.onnx", "models"


@dataclass(frozen=True)
class Bundle:
    """An opened and checked bundle, all in memory.

    Attributes:
        manifest: bundle.yaml. objects: meshes and symmetries in the order of the class index. detector, localizer: ONNX
            bytes.
    """

    manifest: Manifest
    objects: tuple[ObjectModel, ...]
    detector: bytes = field(repr=False)
    localizer: bytes = field(repr=False)

    @classmethod
    def open(cls, reference: str | Path) -> Bundle:
        """Open a bundle by its reference: a name (`kit`), a folder or a zip; see `reference.resolve`.

        Raises:
            InputError: not there, truncated, a file missing or changed since SHA256SUMS was written, bad bundle.yaml.
        """
        path = resolve(reference)
        if path.is_dir():
            return _open_folder(path, path)
        with tempfile.TemporaryDirectory(prefix="posebot-") as folder:
            unzip(path, Path(folder))
            return _open_folder(_root(Path(folder)), path)


def write_bundle(directory: str | Path, manifest: Manifest, detector: bytes, localizer: bytes,
                 models_dir: str | Path) -> Path:
    """Write a bundle folder at once: it is complete or not there; an older one in its place is replaced at the end.

    Args:
        models_dir: BOP folder with models_info.json and the PLY files (millimetres); its files are copied.
    Raises:
        InputError: the folder holds something else, or the files written do not make a valid bundle.
    """
    target = Path(directory)
    if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(target, "exists and is not a bundle", "a new folder, or a bundle to replace")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _fill(fresh, manifest, detector, localizer, Path(models_dir))
        _open_folder(fresh, target)
        fresh.chmod(0o755)
        put_in_place(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def rewrite_manifest(directory: str | Path, manifest: Manifest) -> None:
    """Replace bundle.yaml of a bundle folder (a new calibration, say), everything else stays as it is."""
    folder = Path(directory)
    bundle = Bundle.open(folder)
    write_bundle(folder, manifest, bundle.detector, bundle.localizer, folder / MODELS)


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fill(folder: Path, manifest: Manifest, detector: bytes, localizer: bytes, models_dir: Path) -> None:
    (folder / MANIFEST).write_text(yaml.safe_dump(manifest.to_dict(), sort_keys=False, allow_unicode=True))
    (folder / DETECTOR).write_bytes(detector)
    (folder / LOCALIZER).write_bytes(localizer)
    (folder / MODELS).mkdir()
    for source in sorted(models_dir.iterdir()):
        if source.suffix in (".ply", ".npz", ".json", ".png", ".jpg"):
            shutil.copyfile(source, folder / MODELS / source.name)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines))


def put_in_place(fresh: Path, target: Path) -> None:
    """Move the folder `fresh` to `target`, replacing what is there.

    A folder cannot be replaced in one step: the old one is moved aside first.
    """
    if not target.exists():
        os.replace(fresh, target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent)) / "bundle"
    os.replace(target, aside)
    os.replace(fresh, target)
    shutil.rmtree(aside.parent)


def _open_folder(folder: Path, where: Path) -> Bundle:
    from posebot.objects.bop_models import load_objects

    _verify(folder, where)
    manifest = read_manifest(folder / MANIFEST, where / MANIFEST)
    known = load_objects(folder / MODELS)
    for reference in manifest.objects:
        if reference.obj_id not in known:
            raise BundleError(where / MODELS, f"object {reference.obj_id} ({reference.label}) is missing",
                              f"every object of {MANIFEST}")
    objects = tuple(replace(known[reference.obj_id], label=reference.label) for reference in manifest.objects)
    return Bundle(manifest, objects, (folder / DETECTOR).read_bytes(),
                  (folder / LOCALIZER).read_bytes())


def _verify(folder: Path, where: Path) -> None:
    """Check every file of SHA256SUMS."""
    sums = folder / SUMS
    if not sums.is_file():
        raise BundleError(where, f"{SUMS} is missing", "a posebot bundle (see docs/explanation/architecture.md)")
    listed = {}
    for number, line in enumerate(sums.read_text(errors="replace").splitlines(), 1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or name.startswith("/") or ".." in Path(name).parts:
            raise BundleError(where / SUMS, f"line {number}: {line[:80]!r}", "sha256, two blanks, a path in the bundle")
        listed[name] = digest
    for name in (MANIFEST, DETECTOR, LOCALIZER, f"{MODELS}/models_info.json"):
        if name not in listed:
            raise BundleError(where / SUMS, f"{name} is not listed", "every file of the bundle")
    for name, digest in listed.items():
        if not (folder / name).is_file():
            raise BundleError(where / name, "is missing", "copy the bundle again, it is not whole")
        if file_sha256(folder / name) != digest:
            raise BundleError(where / name, f"does not match {SUMS}",
                              "the file was changed or cut short; copy it again")


def _root(folder: Path) -> Path:
    """The bundle inside an unpacked zip: at its top, or in its only folder."""
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder
