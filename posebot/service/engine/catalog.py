"""What the API shows of the configured models: summaries, details, meshes."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from posebot.core.errors import PosebotError
from posebot.core.objects import ObjectModel
from posebot.models.bundle import Bundle
from posebot.models.verdict import judgement
from posebot.service.engine.model_cache import digest_of
from posebot.service.errors import UnknownModel
from posebot.service.settings import Settings


class ModelCatalog:
    """Opens bundles and caches them until their files change. Blocks: call it in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._bundles = settings.bundles
        self._opened: dict[str, tuple[str, Bundle]] = {}
        self._meshes: dict[tuple[str, int], dict[str, Any]] = {}
        self._lock = threading.Lock()

    def summaries(self, active: str) -> list[dict[str, Any]]:
        """See `schemas.service.ModelSummary`; a bundle that cannot be opened has an `error`."""
        return [self._summary(name, active) for name in self._bundles]

    def detail(self, name: str, active: str) -> dict[str, Any]:
        """See `schemas.service.ModelDetail`."""
        bundle = self.open(name)[1]
        manifest = bundle.manifest.to_dict()
        return self._summary(name, active) | {
            "detail": [_object(model) for model in bundle.objects], "detector": manifest["detector"],
            "localizer": manifest["localizer"], "calibration": manifest["calibration"],
            "verdict": judgement(bundle.manifest), "provenance": manifest["provenance"]}

    def open(self, name: str) -> tuple[str, Bundle]:
        """Digest and bundle. Raises UnknownModel, or InputError for a bundle that cannot be opened."""
        if name not in self._bundles:
            raise UnknownModel(f"there is no model {name!r:.80}; there are {', '.join(self._bundles)}")
        digest = digest_of(self._bundles[name])
        with self._lock:
            if name not in self._opened or self._opened[name][0] != digest:
                self._opened[name] = digest, Bundle.open(self._bundles[name])
            return self._opened[name]

    def mesh(self, name: str, obj_id: int) -> tuple[str, dict[str, Any]]:
        """ETag and `schemas.service.MeshOut`. Raises UnknownModel for an object that the model does not have."""
        digest, bundle = self.open(name)
        model = next((model for model in bundle.objects if model.obj_id == obj_id), None)
        if model is None:
            raise UnknownModel(f"model {name!r} has no object {obj_id}")
        key = (digest, obj_id)
        if key not in self._meshes:
            self._meshes[key] = _mesh(model)
        return f'"{digest[:16]}-{obj_id}"', self._meshes[key]

    def _summary(self, name: str, active: str) -> dict[str, Any]:
        summary: dict[str, Any] = {"name": name, "version": None, "active": name == active, "objects": [],
                                   "licence": None, "error": None}
        try:
            manifest = self.open(name)[1].manifest
        except PosebotError as error:
            return summary | {"error": str(error)}
        return summary | {"version": manifest.version, "licence": manifest.licence,
                          "objects": [reference.label for reference in manifest.objects]}


def _object(model: ObjectModel) -> dict[str, Any]:
    symmetries = {"discrete": len(model.symmetries_discrete), "continuous": len(model.symmetries_continuous)}
    return {"obj_id": model.obj_id, "label": model.label, "diameter_m": model.diameter,
            "extents_m": model.extents.tolist(), "faces": len(model.mesh.faces), "symmetries": symmetries}


def _mesh(model: ObjectModel) -> dict[str, Any]:
    from posebot.video.mesh_outline import MeshOutline

    mesh = model.mesh
    return {"obj_id": model.obj_id, "label": model.label, "vertices": _flat(mesh.vertices),
            "faces": mesh.faces.ravel().tolist(),
            "colors": None if mesh.colors is None else mesh.colors.ravel().tolist(),
            "edges": _flat(MeshOutline(mesh).sharp_edges), "diameter_m": model.diameter,
            "box_min_m": _flat(model.box_min),
            "extents_m": _flat(model.extents)}


def _flat(numbers: Any) -> list[float]:
    """Rounded to 0.01 mm, enough for drawing."""
    return list(np.round(np.asarray(numbers, dtype=float).ravel(), 5).tolist())
