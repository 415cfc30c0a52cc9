"""The kit: the same every time, sound, and its files can be read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posebot.core.objects import ObjectModel
from posebot.core.transforms import apply
from posebot.objects.bop_models import load_objects
from posebot.objects.geometry import sample_surface, scaled
from posebot.objects.kit import KIT_MATERIALS, build_kit, write_kit
from posebot.objects.materials import load_materials
from posebot.objects.mesh_io import read_mesh
from posebot.objects.proximity import ProximityQuery
from posebot.objects.topology import measure_topology
from tests.objects.sample_meshes import signed_volume

KIT = build_kit()
each = pytest.mark.parametrize("model", KIT.values(), ids=lambda model: model.label)


def test_eight_objects_the_same_every_time() -> None:
    again = build_kit()
    assert list(again) == list(range(1, 9)) == list(KIT_MATERIALS)
    for obj_id, model in KIT.items():
        np.testing.assert_array_equal(again[obj_id].mesh.vertices, model.mesh.vertices)
        np.testing.assert_array_equal(again[obj_id].mesh.faces, model.mesh.faces)
        for name in ("uv", "texture", "colors"):
            np.testing.assert_array_equal(getattr(again[obj_id].mesh, name), getattr(model.mesh, name))


@each
def test_sizes_and_soundness(model: ObjectModel) -> None:
    topology = measure_topology(model.mesh)
    assert topology.watertight
    assert topology.inconsistent_edges == topology.non_manifold_edges == 0
    assert topology.degenerate_faces == topology.duplicate_faces == 0
    assert len(topology.component_shares) == 1
    assert signed_volume(model.mesh) > 0
    assert 0.05 < model.diameter < 0.2
    assert 500 < len(model.mesh.faces) < 8000
    np.testing.assert_allclose(model.center, 0, atol=1e-12)
    assert model.mesh.colors is not None or model.mesh.texture is not None


@each
def test_declared_symmetries_map_the_surface_onto_itself(model: ObjectModel) -> None:
    surface, (points, _, _) = ProximityQuery(model.mesh), sample_surface(model.mesh, 500)
    for transform in model.symmetry_transforms(steps=72):  # round parts have 72 segments
        assert np.percentile(surface.closest(apply(transform, points))[0], 99) < 1e-3


def test_prints_differ_on_every_side() -> None:
    sides = [KIT[1].mesh.texture[:420, x : x + 150] for x in (20, 310, 600, 800)]
    for index, side in enumerate(sides):
        for other in sides[:index]:
            for turned in (other, other[::-1, ::-1]):
                assert np.abs(side.astype(int) - turned).mean() > 25


def test_files_read_back(tmp_path: Path) -> None:
    models = write_kit(tmp_path)
    assert load_materials(models) == KIT_MATERIALS
    for obj_id, model in load_objects(models).items():
        kit = KIT[obj_id]
        assert model.label == kit.label
        np.testing.assert_allclose(model.mesh.vertices, kit.mesh.vertices, atol=1e-8)
        for path, unit in ((f"stl/{kit.label}.stl", 0.001), (f"glb/{kit.label}.glb", 1.0)):
            volume = signed_volume(scaled(read_mesh(tmp_path / path), unit))
            assert volume == pytest.approx(signed_volume(kit.mesh), rel=1e-4)
    assert read_mesh(tmp_path / "glb/can.glb").texture is not None
