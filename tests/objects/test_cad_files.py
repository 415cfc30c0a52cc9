"""STEP and 3MF: their own unit, one body of several, a fine tessellation; what other formats are told."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
import trimesh

from posebot.core.errors import InputError
from posebot.objects.build import BuildOptions, build_objects
from posebot.objects.cad_files import TOLERANCE
from posebot.objects.geometry import bounds
from posebot.objects.mesh_io import read_mesh
from posebot.objects.mesh_linter import check_meshes


def write_3mf(path: Path, *sizes: tuple[float, float, float], unit: str = "millimeter") -> Path:
    pytest.importorskip("lxml")
    scene = trimesh.Scene()
    for number, size in enumerate(sizes):
        scene.add_geometry(trimesh.creation.box(size), geom_name=f"body{number}", node_name=f"body{number}")
    scene.units = unit
    path.write_bytes(trimesh.exchange.threemf.export_3MF(scene))
    return path


def test_3mf_is_read_in_millimetres(tmp_path: Path) -> None:
    report = next(check_meshes([write_3mf(tmp_path / "a.3mf", (10.0, 20.0, 30.0))], symmetries=False))
    assert (report.unit, report.origin) == ("mm", "format")
    np.testing.assert_allclose(report.to_dict()["size_mm"], [10, 20, 30], rtol=1e-6)


def test_one_of_several_bodies_is_named(tmp_path: Path) -> None:
    path = write_3mf(tmp_path / "a.3mf", (10.0, 20.0, 30.0), (40.0, 50.0, 60.0))
    with pytest.raises(InputError, match=r"a\.3mf: holds 2 bodies: .*body.*; name one: a\.3mf#") as error:
        read_mesh(path)
    names = str(error.value).split("bodies: ")[1].split(";")[0].split(", ")
    sizes = [bounds(read_mesh(f"{path}#{name}"))[1].max() for name in names]
    assert sorted(sizes) == pytest.approx([30, 60])
    (built,) = build_objects([Path(f"{path}#{names[0]}")], options=BuildOptions(symmetries=False))
    assert built.model.label == names[0]
    assert built.model.source is not None and built.model.source.unit_from == "format"
    with pytest.raises(InputError, match="has no body 'lid'; one of"):
        read_mesh(f"{path}#lid")


@pytest.mark.parametrize(("suffix", "words"), [
    (".sldprt", "SolidWorks: export it as STEP"), (".IPT", "Inventor: export it as STEP"), (".f3d", "Fusion"),
    (".catpart", "CATIA"), (".prt", "NX or Creo"), (".igs", "IGES: export it as STEP"), (".dwg", "AutoCAD"),
    (".x_t", "Parasolid"), (".blend", "Blender: export it as GLB"), (".fbx", "FBX"), (".dae", "COLLADA"),
    (".txt", "a triangle mesh"),
])
def test_other_formats_are_told_what_to_export(suffix: str, words: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"x")
    with pytest.raises(InputError, match=f"unsupported format '{suffix}'; .*{words}"):
        read_mesh(tmp_path / f"a{suffix}")


def test_only_files_with_bodies_have_names_of_them(tmp_path: Path) -> None:
    trimesh.creation.box((10, 10, 10)).export(tmp_path / "a.stl")
    with pytest.raises(InputError, match="'#lid': a file of this format has no named bodies"):
        read_mesh(f"{tmp_path / 'a.stl'}#lid")


@pytest.mark.parametrize("name", ["02-PANEL", "03-PANEL2"])
def test_step_has_the_size_and_place_of_its_twin(name: str, real_data: Path) -> None:
    pytest.importorskip("cascadio")
    step, stl = (read_mesh(real_data / "cad_parts" / f"{name}.{suffix}") for suffix in ("step", "stl"))
    for one, other in zip(bounds(step), bounds(stl), strict=True):
        np.testing.assert_allclose(one, other, atol=0.01)
    report = next(check_meshes([real_data / "cad_parts" / f"{name}.step"], symmetries=False))
    assert (report.unit, report.origin, report.usable) == ("mm", "format", True)


@pytest.mark.parametrize(("name", "size"), [("02-PANEL", 70.0), ("03-PANEL2", 116.0)])
def test_step_is_tessellated_finely(name: str, size: float, real_data: Path) -> None:
    """The vertices of each bore lie on a circle, and its facets less than the tolerance inside of it."""
    pytest.importorskip("cascadio")
    mesh = read_mesh(real_data / "cad_parts" / f"{name}.step")
    body = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    walls = body.submesh([np.flatnonzero(np.abs(body.face_normals[:, 2]) < 1e-6)], append=True)
    radii = []
    for bore in walls.split(only_watertight=False):
        xy = bore.vertices[:, :2]
        centre, radius = _circle(xy)
        if np.abs(np.linalg.norm(xy - centre, axis=1) - radius).max() < 1e-3 and len(xy) > 20:
            planes = np.einsum("fi,fi->f", bore.face_normals[:, :2], bore.triangles_center[:, :2] - centre)
            assert radius - np.abs(planes).min() < 1.5 * size * TOLERANCE
            radii.append(round(radius, 2))
    assert len(radii) >= 4


def _circle(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the circle through points (N, 2), by least squares."""
    rows = np.column_stack([2 * points, np.ones(len(points))])
    x, y, c = np.linalg.lstsq(rows, (points**2).sum(axis=1), rcond=None)[0]
    return np.array([x, y]), float(np.sqrt(c + x * x + y * y))


def test_without_cascadio_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.step").write_bytes(b"ISO-10303-21;")
    real_import = builtins.__import__

    def without(name: str, *arguments: object, **options: object) -> object:
        if name == "cascadio":
            raise ImportError(name)
        return real_import(name, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"need the package cascadio; pip install 'posebot\[cad\]'") as error:
        read_mesh(tmp_path / "a.step")
    assert error.value.code == "missing_extra"


def test_a_damaged_step_file_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cascadio")
    (tmp_path / "a.step").write_bytes(b"ISO-10303-21; nothing")
    with pytest.raises(InputError, match=r"a\.step: "):
        read_mesh(tmp_path / "a.step")
    assert capfd.readouterr() == ("", "")
