"""The bundles of the configuration, described for people and drawn by pages."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from posebot.core.errors import PosebotError
from posebot.core.objects import ObjectModel
from posebot.models.bundle import Bundle
from posebot.service.engine.model_cache import digest_of
from posebot.service.settings import Settings
from posebot.service.web.error_responses import ApiError


class Catalog:
    """Opens bundles to look into them, and remembers them while they stay the same. Blocks: call it in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._bundles = settings.bundles
        self._opened: dict[str, tuple[str, Bundle]] = {}
        self._meshes: dict[tuple[str, int], dict[str, Any]] = {}
        self._lock = threading.Lock()

    def summaries(self, active: str) -> list[dict[str, Any]]:
        """See `schemas.other.ModelSummary`; a bundle that cannot be opened says why."""
        return [self._summary(name, active) for name in self._bundles]

    def detail(self, name: str, active: str) -> dict[str, Any]:
        """See `schemas.other.ModelDetail`."""
        bundle = self.open(name)[1]
        said = bundle.manifest.to_dict()
        return self._summary(name, active) | {
            "detail": [_object(model) for model in bundle.objects], "detector": said["detector"],
            "localizer": said["localizer"], "calibration": said["calibration"], "provenance": said["provenance"]}

    def open(self, name: str) -> tuple[str, Bundle]:
        """Digest and bundle. Raises ApiError 404 for a name that is not configured, InputError for a broken bundle."""
        if name not in self._bundles:
            raise ApiError(404, f"there is no model {name!r:.80}; there are {', '.join(self._bundles)}")
        digest = digest_of(self._bundles[name])
        with self._lock:
            if name not in self._opened or self._opened[name][0] != digest:
                self._opened[name] = digest, Bundle.open(self._bundles[name])
            return self._opened[name]

    def mesh(self, name: str, obj_id: int) -> tuple[str, dict[str, Any]]:
        """ETag and `schemas.other.MeshOut`. Raises ApiError 404 for an object that the bundle does not know."""
        digest, bundle = self.open(name)
        model = next((model for model in bundle.objects if model.obj_id == obj_id), None)
        if model is None:
            raise ApiError(404, f"model {name!r} knows no object {obj_id}")
        key = (digest, obj_id)
        if key not in self._meshes:
            self._meshes[key] = _mesh(model)
        return f'"{digest[:16]}-{obj_id}"', self._meshes[key]

    def _summary(self, name: str, active: str) -> dict[str, Any]:
        known: dict[str, Any] = {"name": name, "version": None, "active": name == active, "objects": [],
                                 "licence": None, "error": None}
        try:
            manifest = self.open(name)[1].manifest
        except PosebotError as error:
            return known | {"error": str(error)}
        return known | {"version": manifest.version, "licence": manifest.licence,
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
            "edges": _flat(MeshOutline(mesh).creases), "diameter_m": model.diameter, "box_min_m": _flat(model.box_min),
            "extents_m": _flat(model.extents)}


def _flat(numbers: Any) -> list[float]:
    """A hundredth of a millimetre is enough for a picture."""
    return list(np.round(np.asarray(numbers, dtype=float).ravel(), 5).tolist())
