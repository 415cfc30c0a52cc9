"""The pipeline of `posebot infer`: of a trained bundle, or of meshes without training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posebot.cli._common import console
from posebot.core.errors import InputError

if TYPE_CHECKING:
    from posebot.core.objects import ObjectModel
    from posebot.stages.fuse import CameraError
    from posebot.stages.pipeline import Pipeline
    from posebot.stages.untrained import UntrainedPipeline


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline. objects: all that results may name. digest: hash of everything that results depend on."""

    pipeline: Pipeline | UntrainedPipeline
    objects: Sequence[ObjectModel]
    digest: str


def load_pipeline(bundle: str | None, folder: Path | None, depth: bool, fuse: bool, error: CameraError | None,
                  pose_settings: Path | None = None) -> LoadedPipeline:
    """The pipeline of a bundle or, without one, of the meshes in a folder.

    Raises:
        InputError: neither, both, or one that cannot be read.
    """
    if bundle is None and pose_settings is not None:
        raise InputError("--pose-settings", "needs a bundle", "leave it out with --no-training")
    if bundle is None:
        return mesh_pipeline(folder, depth, fuse, error)
    if folder is not None:
        raise InputError("--objects", "conflicts with --bundle, which has its own objects",
                         "--no-training, or leave --objects out")
    return bundle_pipeline(bundle, depth, fuse, error, pose_settings)


def bundle_pipeline(name: str, depth: bool, fuse: bool, error: CameraError | None,
                    pose_settings: Path | None = None) -> LoadedPipeline:
    """The pipeline of a bundle. Raises InputError if it cannot be opened."""
    from posebot.models.bundle import Bundle
    from posebot.stages.pipeline import Pipeline, bundle_settings
    from posebot.stages.settings import read_settings

    bundle = Bundle.open(name)
    verdict = bundle.manifest.verdict
    for failure in verdict.failures() if verdict is not None else ():
        console().print(f"warning: bundle {bundle.manifest.name} is not usable by its verdict: {failure}",
                        soft_wrap=True, markup=False)
    settings = bundle_settings(bundle)
    if pose_settings is not None:
        settings = read_settings(pose_settings, settings)
    digest = hashlib.sha256(bundle.detector + bundle.localizer)
    digest.update(json.dumps(bundle.manifest.to_dict(), sort_keys=True, default=str).encode())
    digest.update(json.dumps(settings.overrides(), sort_keys=True).encode() if pose_settings is not None else b"")
    pipeline = Pipeline(bundle, depth=depth, fuse=fuse, error=error, settings=settings)
    return LoadedPipeline(pipeline, bundle.objects, digest.hexdigest())


def mesh_pipeline(folder: Path | None, depth: bool, fuse: bool, error: CameraError | None) -> LoadedPipeline:
    """The pipeline of a BOP models folder, without training. Raises InputError if unreadable, or without depth."""
    from posebot.objects.bop_models import describe_object, load_objects
    from posebot.stages.untrained import UntrainedPipeline

    if folder is None:
        raise InputError("--no-training", "needs meshes", "--objects FOLDER of meshes")
    if not depth:
        raise InputError("--no-training", "needs depth images", "a depth camera, without --no-depth")
    objects = list(load_objects(folder).values())
    digest = hashlib.sha256(b"no training")
    for model in objects:
        console().print(describe_object(model), soft_wrap=True, markup=False)
        digest.update(model.mesh.vertices.tobytes() + model.mesh.faces.tobytes())
    return LoadedPipeline(UntrainedPipeline(objects, fuse=fuse, error=error), objects, digest.hexdigest())
