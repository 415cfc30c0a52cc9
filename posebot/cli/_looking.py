"""What `infer` looks with: a trained bundle, or meshes alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posebot.core.errors import InputError

if TYPE_CHECKING:
    from posebot.core.objects import ObjectModel
    from posebot.stages.fuse import CameraError
    from posebot.stages.pipeline import Pipeline
    from posebot.stages.untrained import UntrainedPipeline


@dataclass(frozen=True)
class Looking:
    """objects: all that results may name. digest: a name for what results depend on."""

    pipeline: Pipeline | UntrainedPipeline
    objects: Sequence[ObjectModel]
    digest: str


def look_with(bundle: str | None, folder: Path | None, depth: bool, fuse: bool, error: CameraError | None,
              pose_settings: Path | None = None) -> Looking:
    """The bundle of a name; without one, the meshes of a folder.

    Raises:
        InputError: neither, both, or one that cannot be read.
    """
    if bundle is None and pose_settings is not None:
        raise InputError("--pose-settings", "without a bundle", "leave it out with --no-training")
    if bundle is None:
        return with_meshes(folder, depth, fuse, error)
    if folder is not None:
        raise InputError("--objects", "a bundle has objects of its own", "--no-training, or leave --objects out")
    return with_bundle(bundle, depth, fuse, error, pose_settings)


def with_bundle(name: str, depth: bool, fuse: bool, error: CameraError | None, pose_settings: Path | None = None
                ) -> Looking:
    """A bundle's networks. Raises InputError where it cannot be opened."""
    from posebot.models.bundle import Bundle
    from posebot.stages.pipeline import Pipeline, bundle_settings
    from posebot.stages.settings import read_settings

    bundle = Bundle.open(name)
    settings = bundle_settings(bundle)
    if pose_settings is not None:
        settings = read_settings(pose_settings, settings)
    digest = hashlib.sha256(bundle.detector + bundle.localizer)
    digest.update(json.dumps(bundle.manifest.to_dict(), sort_keys=True, default=str).encode())
    digest.update(json.dumps(settings.overrides(), sort_keys=True).encode() if pose_settings is not None else b"")
    pipeline = Pipeline(bundle, depth=depth, fuse=fuse, error=error, settings=settings)
    return Looking(pipeline, bundle.objects, digest.hexdigest())


def with_meshes(folder: Path | None, depth: bool, fuse: bool, error: CameraError | None) -> Looking:
    """Meshes of a BOP models folder, nothing trained. Raises InputError where they cannot be read, or without depth."""
    from posebot.objects.bop_models import load_objects
    from posebot.stages.untrained import UntrainedPipeline

    if folder is None:
        raise InputError("--no-training", "says nothing of what to look for", "--objects FOLDER of meshes")
    if not depth:
        raise InputError("--no-training", "without depth", "a depth camera: shape is all there is to go by")
    objects = list(load_objects(folder).values())
    digest = hashlib.sha256(b"no training")
    for model in objects:
        digest.update(model.mesh.vertices.tobytes() + model.mesh.faces.tobytes())
    return Looking(UntrainedPipeline(objects, fuse=fuse, error=error), objects, digest.hexdigest())
