"""Symmetries that a feature breaks are found, measured and asked for; declared ones are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.core.transforms import exp
from posebot.objects.build import BuildOptions, build_objects
from posebot.objects.declared_symmetry import of_part, parse_symmetric, with_declared
from posebot.objects.geometry import scaled
from posebot.objects.mesh_io import read_mesh, write_ply
from posebot.objects.near_symmetry import WorkingView, questions
from posebot.objects.symmetry import Symmetries, find_symmetries
from posebot.objects.symmetry_features import facet_tolerance
from posebot.objects.symmetry_names import axis_name
from tests.objects.sample_meshes import box, l_shape, placed

pytest.importorskip("manifold3d")
from tests.objects import machine_parts as parts

POSES = {"as drawn": np.eye(4), "turned": exp(np.array([0.05, -0.03, 0.02, 0.7, -0.4, 1.1]))}


def found(mesh: Mesh, pose: str = "as drawn", scale: float = 1.0) -> Symmetries:
    return find_symmetries(placed(scaled(mesh, scale), POSES[pose]))


def folds(symmetries: Symmetries) -> tuple[int, int]:
    """The number of continuous axes and of discrete symmetries."""
    return len(symmetries.continuous), len(symmetries.discrete)


@pytest.mark.parametrize(("pose", "scale"), [("as drawn", 0.25), ("turned", 1.0), ("turned", 30.0)])
@pytest.mark.parametrize(("mesh", "expected"), [
    (parts.washer(), (1, 1)), (parts.nut(), (0, 11)), (parts.gear(17), (0, 33)), (box(), (0, 3))],
    ids=["washer", "nut", "gear of 17 teeth", "box"])
def test_exact_symmetries_are_not_asked_for(mesh: Mesh, expected: tuple[int, int], pose: str, scale: float) -> None:
    symmetries = found(mesh, pose, scale)
    assert folds(symmetries) == expected
    assert not symmetries.near


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize(("mesh", "exact", "fold", "width"), [
    pytest.param(parts.bored_disc(), (0, 1), 0, 0.0030, id="bored disc"),
    pytest.param(parts.bored_disc(0.0004), (0, 1), 0, 0.0008, id="finely bored disc", marks=pytest.mark.long),
    pytest.param(parts.keyed_shaft(), (0, 0), 0, 0.0060, id="keyed shaft", marks=pytest.mark.long),
    pytest.param(parts.gear(24, keyed=True), (0, 1), 24, 0.0030, id="keyed gear"),
    pytest.param(parts.hexagonal_rod(), (0, 11), 0, None, id="hexagonal rod", marks=pytest.mark.long),
    pytest.param(parts.nut(chamfered=True), (0, 5), 2, None, id="chamfered nut"),
])
def test_what_a_feature_breaks_is_asked_for(
    mesh: Mesh, exact: tuple[int, int], fold: int, width: float | None, pose: str
) -> None:
    symmetries = found(mesh, pose)
    assert folds(symmetries) == exact or (mesh.faces.shape == (24, 3) and folds(symmetries) == (0, 5))  # flips: asked
    near = symmetries.near[0]
    axis = POSES[pose][:3, 2]
    assert near.fold == fold
    assert abs(float(near.axis @ axis)) == pytest.approx(0.0 if fold == 2 else 1.0, abs=1e-3)
    assert not near.taken
    if width is not None:
        assert near.feature.size == pytest.approx(width, rel=0.15)


@pytest.mark.long
def test_a_thread_and_a_shallow_engraving_are_taken_and_said() -> None:
    thread, cube = found(parts.threaded_rod()), found(parts.engraved_cube())
    assert folds(thread)[0] == 1
    assert thread.near[0].taken and thread.near[0].fold == 0
    assert 0.0002 < thread.near[0].feature.depth < 0.0006  # the thread is 0.6 mm deep
    assert len(cube.discrete) == 23
    (asked,) = questions(cube.near, 0.069, WorkingView(), cube.describe())
    assert "taken as a symmetry" in asked and "--no-symmetric" in asked
    assert cube.near[0].feature.depth == pytest.approx(0.0003, rel=0.1)
    assert cube.near[0].feature.size == pytest.approx(0.008, rel=0.15)


def test_whether_the_feature_can_be_seen_decides_the_proposal() -> None:
    disc = found(parts.bored_disc())
    size = float(np.hypot(0.032, 0.010))
    (far,) = questions(disc.near, size, WorkingView(), disc.describe())
    (near,) = questions(disc.near, size, WorkingView(1500.0, 0.2), disc.describe(), "disc=")
    assert far.startswith("any turn about z, but for ")
    assert "(a feature of 3.0 mm, about 9 px at 0.21 m): --symmetric z if the camera need not tell it" in far
    assert "about 23 px at 0.2 m): leave it at half-turn about x if the camera must tell it, --symmetric disc=z" in near
    shaft = found(parts.keyed_shaft())
    assert all("--no-symmetric if it must" in text for text in questions(shaft.near, 0.102, WorkingView(), "none"))


@pytest.mark.parametrize(("direction", "name"), [
    ((0, 1, -1), "(0, 1, -1)"), ((0, 0, -2), "z"), ((1, 2, 3), "(1, 2, 3)"), ((-1, 1, 0), "(1, -1, 0)"),
    ((0.004, 0, 1), "z"), ((0.3, 0.5, 0.9), "(0.28, 0.47, 0.84)"),
])
def test_axes_are_named_by_whole_numbers(direction: tuple[float, ...], name: str) -> None:
    assert axis_name(np.array(direction, float) / np.linalg.norm(direction)) == name


@pytest.mark.parametrize(("text", "axis", "fold", "label"), [
    ("x", (1, 0, 0), 0, ""), ("-z/6", (0, 0, -1), 6, ""), ("0,1,-1/2", (0, 0.5**0.5, -(0.5**0.5)), 2, ""),
    ("nut=y/2", (0, 1, 0), 2, "nut"), ("0, 0, 5", (0, 0, 1), 0, ""),
])
def test_declarations_are_read(text: str, axis: tuple[float, ...], fold: int, label: str) -> None:
    declared = parse_symmetric(text)
    np.testing.assert_allclose(declared.axis, axis)
    assert (declared.fold, declared.label) == (fold, label)


@pytest.mark.parametrize("text", ["", "w", "x/1", "x/0", "x/61", "0,0,0", "1,2", "x/two", "1,2,nan", "nut="])
def test_wrong_declarations_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--symmetric: '"):
        parse_symmetric(text)


def test_declarations_belong_to_parts() -> None:
    nut, bare = parse_symmetric("nut=x"), parse_symmetric("x")
    assert of_part([nut], "nut", ["nut", "bolt"]) == [nut]
    assert of_part([nut], "bolt", ["nut", "bolt"]) == []
    assert of_part([bare], "nut", ["nut"]) == [bare]
    with pytest.raises(InputError, match="'x' for 2 meshes; LABEL=x"):
        of_part([bare], "nut", ["nut", "bolt"])
    with pytest.raises(InputError, match="'nut=x' names no part; one of bolt"):
        of_part([nut], "bolt", ["bolt"])


@pytest.mark.parametrize("pose", POSES)
def test_a_declared_axis_passes_where_it_was_found(pose: str) -> None:
    mesh = placed(parts.bored_disc(), POSES[pose])
    axis = ",".join(f"{value:.2f}" for value in POSES[pose][:3, 2])
    result, warnings = with_declared(mesh, find_symmetries(mesh), [parse_symmetric(axis)])
    assert not warnings and not result.near
    assert folds(result) == (1, 1)  # the half-turn about the bore stays
    turn = result.continuous[0]
    away = POSES[pose][:3, 3] - turn.offset
    assert np.linalg.norm(away - (away @ turn.axis) * turn.axis) < 2e-4
    assert abs(float(turn.axis @ POSES[pose][:3, 2])) > np.cos(np.deg2rad(0.2))


def test_declared_symmetries_make_a_group() -> None:
    result, _ = with_declared(box((0.05, 0.05, 0.05)), Symmetries(), [parse_symmetric("x/4"), parse_symmetric("y/4")])
    assert folds(result) == (0, 23)
    nut = parts.nut(chamfered=True)
    result, warnings = with_declared(nut, find_symmetries(nut), [parse_symmetric("x/2")])
    assert (folds(result), warnings) == ((0, 11), [])
    assert folds(with_declared(nut, find_symmetries(nut), [parse_symmetric("none")])[0]) == (0, 0)
    with pytest.raises(InputError, match="contradict each other"):
        with_declared(nut, Symmetries(), [parse_symmetric("x/5"), parse_symmetric("y/7")])


def test_what_the_mesh_contradicts_is_warned_of() -> None:
    _, (warning,) = with_declared(l_shape(), Symmetries(), [parse_symmetric("z")])
    assert warning.severity == "warning"
    assert "--symmetric z contradicts the mesh: " in warning.message and " mm" in warning.message


def test_answers_are_recorded(tmp_path: Path) -> None:
    write_ply(tmp_path / "disc.ply", scaled(parts.bored_disc(), 1000))
    for options, answer, counts in (
            (BuildOptions(), "detected", (0, 1)), (BuildOptions(symmetries=False), "none", (0, 0)),
            (BuildOptions(symmetric=(parse_symmetric("z"),)), "declared", (1, 1))):
        (built,) = build_objects([tmp_path / "disc.ply"], options=options)
        assert built.model.source is not None and built.model.source.symmetries == answer
        assert (len(built.model.symmetries_continuous), len(built.model.symmetries_discrete)) == counts


@pytest.mark.parametrize("sections", [12, 24, 48, 96])
def test_facets_lie_below_the_curve_by_their_sagitta(sections: int) -> None:
    mesh = parts.to_mesh(parts.cylinder(0.01, 0.03, sections))
    side = np.abs(np.cross(*(mesh.vertices[mesh.faces[:, i]] - mesh.vertices[mesh.faces[:, 0]] for i in (1, 2)))[:, 2])
    on_side = side < 1e-12
    np.testing.assert_allclose(facet_tolerance(mesh)[on_side], 0.01 * (1 - np.cos(np.pi / sections)), rtol=0.05)
    assert facet_tolerance(mesh)[~on_side].max() == 0


REAL = {  # looked at: (any turns, discrete symmetries, near symmetries asked for)
    "01-BASE": ("none", []), "02-PANEL": ("none", []), "03-PANEL2": ("none", []),
    "05_MBRFA30-2-P6": ("half-turn about (0, 1, -1)", ["any turn about x"]),
    "06_MBT4-400": ("any turn about z, half-turn about x", []),
    "07_SBARB6200ZZ_30": ("quarter-turn about x", ["any turn about x"]),
    "09_EDCS10": ("any turn about x", []),
    "10_CLBPS10_17_4": ("any turn about x, half-turn about y through (2.0, 0.0, 0.0) mm", []),
    "11_MBRAC60-2-10": ("none", ["any turn about x"]),
    "12_CLBUS6-9-9.5": ("any turn about x, half-turn about y through (4.8, 0.0, 0.0) mm", []),
    "15_SLBNR6": ("sixth-turn about x", ["half-turn about y"]),
    "16_SPWF6": ("any turn about x, half-turn about y", []),
    "17_SCB4-10": ("sixth-turn about x", ["any turn about x"]),
    "18_SCB3-10": ("sixth-turn about x", ["any turn about x"]),
    "19_MSSFS3-6": ("sixth-turn about x", ["any turn about x"]),
}


@pytest.mark.parametrize("name", REAL)
def test_real_machine_parts(name: str, real_data: Path) -> None:
    mesh = scaled(read_mesh(real_data / "cad_parts" / f"{name}.stl"), 0.001)
    symmetries = find_symmetries(mesh)
    assert symmetries.describe() == REAL[name][0]
    assert [near.name for near in symmetries.near] == REAL[name][1]
