"""The mesh linter finds what was done to a mesh, and says nothing bad about a good one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.objects.build import BuildOptions, build_objects
from posebot.objects.diagnostics import Diagnostic, geometry_diagnostics
from posebot.objects.geometry import diameter, scaled, translated
from posebot.objects.kit import build_kit
from posebot.objects.mesh_io import write_ply
from posebot.objects.mesh_linter import MeshReport, check_meshes
from posebot.objects.subdivision import bisect_faces
from posebot.objects.topology import measure_topology, repair_mesh
from tests.objects.sample_meshes import box, inside_out, l_shape, printed_square, prism, signed_volume, star


def check_mesh(path: Path, unit: str | None = None, symmetries: bool = True) -> MeshReport:
    return next(check_meshes([path], unit, symmetries))



def about(mesh: Mesh) -> list[Diagnostic]:
    return geometry_diagnostics(mesh, diameter(mesh.vertices))


def found(diagnostics: list[Diagnostic], check: str) -> Diagnostic:
    return next(diagnostic for diagnostic in diagnostics if diagnostic.check == check)


@pytest.mark.parametrize("model", build_kit().values(), ids=lambda model: model.label)
def test_the_kit_is_flawless(model) -> None:
    assert {diagnostic.severity for diagnostic in geometry_diagnostics(model.mesh, model.diameter)} <= {"info"}


def test_a_hole_is_found_with_its_length() -> None:
    mesh = box()
    diagnostic = found(about(Mesh(mesh.vertices, mesh.faces[1:])), "watertight")
    assert diagnostic.severity == "warning"
    assert diagnostic.message.startswith("3 boundary edges")


@pytest.mark.parametrize("mesh", [box(), l_shape(), translated(box(), [0.05, 0, 0])])
def test_inverted_surfaces_are_errors_and_can_be_repaired(mesh: Mesh) -> None:
    assert not any(diagnostic.check == "normals" for diagnostic in about(mesh))
    flipped = inside_out(mesh)
    assert found(about(flipped), "normals").severity == "error"
    assert signed_volume(repair_mesh(flipped)) == pytest.approx(signed_volume(mesh))


@given(seed=st.integers(0, 2**31))
def test_faces_turned_at_random_are_turned_back(seed: int) -> None:
    mesh = prism(star(3, points=30), 0.05)
    some = np.random.default_rng(seed).random(len(mesh.faces)) < 0.4
    mixed = Mesh(mesh.vertices, np.where(some[:, None], mesh.faces[:, ::-1], mesh.faces))
    if some.any() and not some.all():
        assert found(about(mixed), "normals").severity in ("error", "warning")
    mended = repair_mesh(mixed)
    assert signed_volume(mended) == pytest.approx(signed_volume(mesh))
    assert measure_topology(mended).inconsistent_edges == 0


def test_duplicates_slivers_and_twins_are_counted_and_repaired() -> None:
    mesh = box()
    apart = mesh.vertices[mesh.faces].reshape(-1, 3)
    faces = np.vstack([np.arange(36).reshape(-1, 3), [[0, 1, 2], [0, 0, 1]]]).astype(np.int32)
    bad = Mesh(np.vstack([apart, [[0.0, 0.0, 0.0]]]), faces)
    topology = measure_topology(bad)
    assert (topology.duplicate_vertices, topology.unreferenced_vertices) == (28, 1)
    assert (topology.degenerate_faces, topology.duplicate_faces) == (1, 1)
    checks = {(diagnostic.check, diagnostic.severity) for diagnostic in about(bad)}
    assert {("vertices", "warning"), ("faces", "warning")} <= checks
    mended = repair_mesh(bad)
    assert (len(mended.vertices), len(mended.faces)) == (8, 12)
    assert measure_topology(mended).watertight


def test_repair_keeps_texture_seams() -> None:
    model = build_kit()[1]
    mended = repair_mesh(model.mesh)
    assert mended.texture is model.mesh.texture
    assert len(mended.vertices) == len(model.mesh.vertices)


def test_origin_far_away() -> None:
    assert found(about(translated(box(), [0.1, 0, 0])), "origin").severity == "info"
    assert found(about(translated(box(), [1.0, 0, 0])), "origin").severity == "warning"


def test_bodies_amount_colour_and_flatness_are_told() -> None:
    one, two = box(), translated(box(), [0.2, 0, 0])
    both = Mesh(np.vstack([one.vertices, two.vertices]), np.vstack([one.faces, two.faces + 8]))
    assert found(about(both), "components").message == "2 connected components, the largest has 50% of the surface"
    many = one
    while len(many.faces) <= 20_000:
        many = bisect_faces(many, np.ones(len(many.faces), dtype=bool))
    assert found(about(many), "face count").severity == "info"
    assert found(about(one), "color").message.startswith("plain")
    flat = found(about(printed_square(np.zeros((2, 2, 3), np.uint8))), "extent")
    assert (flat.severity, flat.message) == ("error", "flat: 0 mm along z")


def write(folder: Path, name: str, mesh: Mesh, factor: float = 1000.0) -> Path:
    write_ply(folder / name, scaled(mesh, factor))
    return folder / name


def test_report_of_a_file(tmp_path: Path) -> None:
    report = check_mesh(write(tmp_path, "box.ply", box()))
    data = report.to_dict()
    assert report.usable
    assert (data["unit"], data["faces"], data["color"]) == ("mm", 12, "plain")
    np.testing.assert_allclose(data["size_mm"], [60, 90, 140], rtol=1e-6)
    assert len(data["symmetries"]["symmetries_discrete"]) == 3


def test_unreadable_file_is_a_finding(tmp_path: Path) -> None:
    report = check_mesh(tmp_path / "none.stl")
    assert not report.usable
    assert report.errors[0].message == "no such file"


def test_build_numbers_labels_and_measures(tmp_path: Path) -> None:
    paths = [write(tmp_path, "bracket.ply", l_shape()), write(tmp_path, "brick.ply", box())]
    bracket, brick = build_objects(paths, first_id=4)
    assert [(b.model.obj_id, b.model.label) for b in (bracket, brick)] == [(4, "bracket"), (5, "brick")]
    assert brick.model.diameter == pytest.approx(np.sqrt(0.06**2 + 0.09**2 + 0.14**2))
    assert len(brick.model.symmetries_discrete) == 3
    (named,) = build_objects(paths[:1], ["angle"], options=BuildOptions(symmetries=False))
    assert named.model.label == "angle"


def test_build_refuses_and_mends(tmp_path: Path) -> None:
    far = write(tmp_path, "far.ply", inside_out(translated(l_shape(), [0, 2.0, 0])))
    with pytest.raises(InputError, match="normals"):
        build_objects([far])
    (built,) = build_objects([far], options=BuildOptions(repair=True, symmetries=False))
    assert built.model.center[1] == pytest.approx(2.025, abs=1e-6)  # where the file has it
    assert signed_volume(built.model.mesh) > 0
    (forced,) = build_objects([far], options=BuildOptions(force=True, symmetries=False))
    assert np.linalg.norm(forced.model.center) > 1.9


def test_a_mesh_without_a_scale_gets_the_measured_one(tmp_path: Path) -> None:
    photographed = write(tmp_path, "toy.ply", box(), 7.3)
    (toy,) = build_objects([photographed], options=BuildOptions(true_diameter=0.25, symmetries=False))
    assert toy.model.diameter == pytest.approx(0.25)
    assert [diagnostic.severity for diagnostic in toy.diagnostics if diagnostic.check == "unit"] == ["info"]


@pytest.mark.parametrize(("labels", "first_id", "problem"), [
    (["a"], 1, "1 labels for 2 meshes"), (["a", "a"], 1, "'a' is empty or duplicate"), ((), 0, "--first-id: 0"),
])
def test_build_checks_numbers_and_names(labels: list[str], first_id: int, problem: str, tmp_path: Path) -> None:
    paths = [write(tmp_path, name, box()) for name in ("a.ply", "b.ply")]
    with pytest.raises(InputError, match=problem):
        build_objects(paths, labels, first_id)
