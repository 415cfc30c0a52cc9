"""Units of mesh files: what the format says, what is assumed from the size, and what is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import InputError
from posebot.core.objects import MeshSource
from posebot.objects.bop_models import describe_object, load_objects, save_objects
from posebot.objects.build import BuildOptions, build_objects
from posebot.objects.geometry import scaled
from posebot.objects.mesh_io import write_mesh, write_ply
from posebot.objects.mesh_linter import MeshReport, check_meshes
from posebot.objects.units import METRES_PER_UNIT, assumed_unit, fitting_units
from tests.objects.sample_meshes import box, l_shape


def check_mesh(path: Path, unit: str | None = None, symmetries: bool = True) -> MeshReport:
    return next(check_meshes([path], unit, symmetries))



@given(st.floats(5.0, 2000.0))
def test_five_millimetres_to_two_metres_are_millimetres(extent: float) -> None:
    assert assumed_unit([extent]) == "mm"


@given(st.floats(0.0051, 0.196))
def test_below_a_fifth_of_an_inch_only_metres_are_left(extent: float) -> None:
    assert fitting_units(extent) == ("m",)
    assert assumed_unit([extent]) == "m"


@pytest.mark.parametrize(("extent", "units"), [
    (0.3, ("m", "in")), (1.0, ("cm", "m", "in")), (3.0, ("cm", "in")), (4.99, ("cm", "in")),
    (0.004, ()), (2001.0, ()), (0.0, ()),
])
def test_what_fits_several_units_or_none_is_asked(extent: float, units: tuple[str, ...]) -> None:
    assert fitting_units(extent) == units
    assert assumed_unit([extent]) is None


@given(st.floats(1e-4, 1e5), st.sampled_from(list(METRES_PER_UNIT)))
def test_a_unit_fits_if_the_extent_is_supported(extent: float, unit: str) -> None:
    metres = extent * {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254}[unit]
    if not any(abs(metres / limit - 1) < 1e-5 for limit in (0.005, 2.0)):
        assert (unit in fitting_units(extent)) == (0.005 < metres < 2.0)


@given(st.lists(st.floats(5.0, 2000.0), min_size=1, max_size=5), st.floats(0.0051, 4.99))
def test_files_that_disagree_are_asked(extents: list[float], odd: float) -> None:
    assert assumed_unit(extents) == "mm"
    assert assumed_unit([*extents, odd]) is None


def write(path: Path, longest: float) -> Path:
    """A box of 3 : 2 : 1 whose longest side is `longest` file units."""
    mesh = scaled(box((3, 2, 1)), longest / 3)
    if path.suffix == ".ply":
        write_ply(path, mesh)
    elif path.suffix in (".obj", ".off"):
        import trimesh

        trimesh.Trimesh(mesh.vertices, mesh.faces).export(path)
    else:
        write_mesh(path, mesh)
    return path


def only(report: MeshReport, check: str) -> str:
    (diagnostic,) = (entry for entry in report.diagnostics if entry.check == check)
    return f"{diagnostic.severity}: {diagnostic.message}; {diagnostic.hint}"


@pytest.mark.parametrize("suffix", ["stl", "ply", "obj", "off"])
@pytest.mark.parametrize(("longest", "unit", "millimetres"), [
    (148.0, "mm", 148.0), (5.0, "mm", 5.0), (0.1, "m", 100.0)])
def test_formats_without_a_unit(suffix: str, longest: float, unit: str, millimetres: float, tmp_path: Path) -> None:
    report = check_mesh(write(tmp_path / f"a.{suffix}", longest), symmetries=False)
    assert (report.usable, report.unit, report.origin) == (True, unit, "assumed")
    assert only(report, "unit").startswith(f"info: read as {'millimetres' if unit == 'mm' else 'metres'}, assumed")
    assert report.to_dict()["size_mm"][0] == pytest.approx(millimetres, rel=1e-6)


@pytest.mark.parametrize("metres", [0.004, 0.012, 1.5])
def test_gltf_is_in_metres_whatever_is_given(metres: float, tmp_path: Path) -> None:
    path = write(tmp_path / "crate.glb", metres)
    report = check_mesh(path, symmetries=False)
    assert (report.unit, report.origin) == ("m", "format")
    assert report.usable == (metres > 0.005)
    assert report.to_dict()["size_mm"][0] == pytest.approx(1000 * metres, rel=1e-6)
    stl = write(tmp_path / "bolt.stl", 12.0)
    crate, bolt = check_meshes([path, stl], "mm", symmetries=False)
    assert [crate.unit, bolt.unit, bolt.origin] == ["m", "mm", "given"]
    assert "--unit mm is not applied: GLB is in metres" in " ".join(entry.message for entry in crate.diagnostics)


@pytest.mark.parametrize(("unit", "longest"), [("in", 101.6), ("cm", 40.0)])
def test_a_given_unit_is_applied_and_said(unit: str, longest: float, tmp_path: Path) -> None:
    report = check_mesh(write(tmp_path / "plate.stl", 4.0), unit, symmetries=False)
    assert report.to_dict()["size_mm"][0] == pytest.approx(longest)
    assert "as given by --unit" in only(report, "unit")


def test_the_question_names_the_sizes(tmp_path: Path) -> None:
    plate = write(tmp_path / "plate_4inch.stl", 4.0)
    report = check_mesh(plate)
    assert (report.usable, report.unit, report.mesh) == (False, "?", None)
    assert only(report, "unit") == ("error: 4 x 2.667 x 1.333 without a unit; say which: "
                                    "--unit cm (40.0 x 26.7 x 13.3 mm), --unit in (101.6 x 67.7 x 33.9 mm)")
    with pytest.raises(InputError, match=r"plate_4inch\.stl: unit: 4 x .* without a unit"):
        build_objects([plate])


def test_one_decision_for_all_files_of_a_call(tmp_path: Path) -> None:
    metres, millimetres = write(tmp_path / "a.stl", 0.1), write(tmp_path / "b.stl", 100.0)
    for report in check_meshes([metres, millimetres], symmetries=False):
        assert "the files of this call do not fit one unit" in only(report, "unit")
    glb = write(tmp_path / "c.glb", 0.1)
    assert [report.unit for report in check_meshes([glb, millimetres], symmetries=False)] == ["m", "mm"]


@pytest.mark.parametrize(("longest", "unit", "words"), [
    (142.0, "m", "error: 142 m in metres (as given by --unit); --unit mm or --unit cm would fit"),
    (9000.0, "mm", "error: 9 m in millimetres (as given by --unit); objects from 5 mm to 2 m are supported; scale"),
    (9000.0, None, "error: 9000 x 6000 x 3000 without a unit fits none of mm, cm, m, in"),
])
def test_sizes_that_are_not_supported(longest: float, unit: str | None, words: str, tmp_path: Path) -> None:
    report = check_mesh(write(tmp_path / "a.stl", longest), unit, symmetries=False)
    assert not report.usable
    assert only(report, "size").startswith(words)


def test_the_unit_is_recorded_with_the_models(tmp_path: Path) -> None:
    paths = [tmp_path / "l.stl", write(tmp_path / "c.glb", 0.1)]
    write_mesh(paths[0], scaled(l_shape(), 1000))
    options = BuildOptions(symmetries=False)
    save_objects(tmp_path / "models", {b.model.obj_id: b.model for b in build_objects(paths, options=options)})
    back = load_objects(tmp_path / "models")
    assert back[1].source == MeshSource("l.stl", "mm", "assumed", back[1].source.symmetries if back[1].source else "")
    assert describe_object(back[1]) == "l: 90.0 x 60.0 x 30.0 mm (l.stl, read as millimetres, assumed)"
    assert describe_object(back[2]) == "c: 100.0 x 66.7 x 33.3 mm (c.glb, read as metres, as its format says)"
    save_objects(tmp_path / "models", {1: build_objects(paths[:1], options=BuildOptions("cm", force=True,
                                                                                     symmetries=False))[0].model})
    assert "as given" in describe_object(load_objects(tmp_path / "models")[1])


SIZES = {  # mm, from the drawings' own names where they say it, else measured
    "01-BASE": (200, 28, 120), "02-PANEL": (70, 60, 20), "03-PANEL2": (116, 90, 25), "05_MBRFA30-2-P6": (10, 32, 32),
    "06_MBT4-400": (131.3, 131.3, 4), "07_SBARB6200ZZ_30": (30, 54, 54), "09_EDCS10": (5, 14, 14),
    "10_CLBPS10_17_4": (4, 17, 17), "11_MBRAC60-2-10": (20, 62, 62), "12_CLBUS6-9-9.5": (9.5, 9, 9),
    "15_SLBNR6": (5, 11.5, 10), "16_SPWF6": (1.6, 12.5, 12.5), "17_SCB4-10": (14, 7, 7), "18_SCB3-10": (13, 5.5, 5.5),
    "19_MSSFS3-6": (6, 3, 3),
}


def test_real_machine_parts_are_millimetres(real_data: Path) -> None:
    paths = [real_data / "cad_parts" / f"{name}.stl" for name in SIZES]
    for report in check_meshes(paths, symmetries=False):
        assert report.usable and report.unit == "mm"
        np.testing.assert_allclose(report.to_dict()["size_mm"], SIZES[report.path.stem], atol=0.06)


def test_files_that_are_named_by_their_size(real_data: Path) -> None:
    folder = real_data / "inputs" / "mesh_units"
    bolt, crate, plate = (check_mesh(folder / name, symmetries=False)
                          for name in ("bolt_12mm.stl", "crate_1.5m.glb", "plate_4inch.stl"))
    assert (bolt.unit, crate.unit, plate.usable) == ("mm", "m", False)
    assert bolt.diameter == pytest.approx(0.012, rel=0.06) and crate.diameter == pytest.approx(1.5, rel=0.06)
    assert check_mesh(folder / "plate_4inch.stl", "in", symmetries=False).diameter == pytest.approx(0.1016, rel=0.06)
