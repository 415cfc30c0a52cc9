"""`posebot objects`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from posebot.cli.main import run
from posebot.core import deprecation
from posebot.core.objects import Mesh
from posebot.objects.bop_models import load_objects
from posebot.objects.geometry import scaled
from posebot.objects.mesh_io import write_mesh, write_ply
from tests.objects.sample_meshes import box, inside_out, l_shape

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def bracket(tmp_path: Path) -> str:
    write_mesh(tmp_path / "bracket.stl", scaled(l_shape(), 1000.0))
    return str(tmp_path / "bracket.stl")


def test_check_prints_size_and_symmetry(bracket: str, capsys: Capture) -> None:
    assert run(["objects", "check", bracket]) == 0
    out = capsys.readouterr().out
    assert "90.0 x 60.0 x 30.0 mm" in out
    assert "read as millimetres" in out
    assert "symmetry   none" in out


def test_check_as_json(bracket: str, tmp_path: Path, capsys: Capture) -> None:
    write_ply(tmp_path / "brick.ply", scaled(box(), 1000.0))
    assert run(["objects", "check", "--json", "--geometric", bracket, str(tmp_path / "brick.ply")]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["unit"], second["unit"]) == ("mm", "mm")
    assert first["usable"] is True
    assert first["symmetries"] == {}
    assert len(second["symmetries"]["symmetries_discrete"]) == 3


def test_check_of_several_goes_on_after_a_bad_one(bracket: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty.stl").touch()
    assert run(["objects", "check", "--no-symmetric", str(tmp_path / "empty.stl"), bracket]) == 2
    out, err = capsys.readouterr()
    assert "bracket.stl" in out
    assert err.count("\n") == 1
    assert err.startswith("posebot: error: ")
    assert "empty.stl: file: " in err


@pytest.mark.parametrize(("arguments", "words"), [
    (["--unit", "m"], "size: 90 m in metres (as given by --unit); --unit mm or --unit cm would fit"),
    (["--first-id", "0"], "BOP object IDs start at 1"),
    (["--diameter", "110", "--unit", "mm"], "only one of them"),
    (["--diameter", "9000"], "diameter is 9 m; objects from 5 mm to 2 m are supported"),
    (["bracket.stl", "--diameter", "110"], "given for 2 meshes; one mesh at a time"),
    (["--label", "a", "--label", "b"], "2 labels for 1 meshes"),
])
def test_build_refuses_with_one_line(
    arguments: list[str], words: str, bracket: str, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "models"
    assert run(["objects", "build", bracket, "--out", str(out), *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_build_writes_a_models_folder(bracket: str, tmp_path: Path, capsys: Capture) -> None:
    write_ply(tmp_path / "brick.ply", scaled(inside_out(box()), 1.0))
    out = tmp_path / "models"
    meshes = [bracket, str(tmp_path / "brick.ply")]
    command = ["objects", "build", *meshes, "--out", str(out), "--repair"]
    command += ["--label", "angle", "--label", "brick"]
    assert run(command) == 2  # metres beside millimetres
    assert "bracket.stl: unit: 90 x 60 x 30 without a unit; the files of this call do not fit one unit" \
        in capsys.readouterr().err
    write_ply(tmp_path / "brick.ply", scaled(inside_out(box()), 1000.0))
    assert run(command) == 0
    assert "wrote 2 objects" in capsys.readouterr().out
    objects = load_objects(out)
    assert [model.label for model in objects.values()] == ["angle", "brick"]
    np.testing.assert_allclose(objects[1].center, [0.04, 0.025, 0], atol=1e-8)
    np.testing.assert_allclose(objects[2].extents, [0.06, 0.09, 0.14], rtol=1e-6)
    assert len(objects[2].symmetries_discrete) == 3


def test_build_overwrites_only_when_told(bracket: str, tmp_path: Path, capsys: Capture) -> None:
    command = ["objects", "build", bracket, "--out", str(tmp_path / "models"), "--no-symmetric"]
    assert run(command) == 0
    assert run(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run([*command, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["objects"][0]["label"] == "bracket"


def test_flat_mesh_is_refused(tmp_path: Path, capsys: Capture) -> None:
    write_ply(tmp_path / "sheet.ply", Mesh(box().vertices * [1000, 1000, 0], box().faces))
    assert run(["objects", "check", str(tmp_path / "sheet.ply")]) == 2
    assert "flat" in capsys.readouterr().err


def test_kit(tmp_path: Path, capsys: Capture) -> None:
    assert run(["objects", "kit", "--out", str(tmp_path / "kit")]) == 0
    assert len(load_objects(tmp_path / "kit" / "models")) == 8
    for kind in ("stl", "glb"):
        assert len(list((tmp_path / "kit" / kind).glob(f"*.{kind}"))) == 8
    assert "models" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["check"], ["build", "a.stl"], ["kit"], ["check", "--unit", "inch", "a.stl"]])
def test_wrong_usage(command: list[str]) -> None:
    assert run(["objects", *command]) == 2


def test_the_old_name_of_diameter_is_still_read(
    bracket: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deprecation.reset()
    out = tmp_path / "models"
    assert run(["objects", "build", bracket, "--out", str(out), "--no-symmetric", "--across", "110"]) == 0
    assert load_objects(out)[1].diameter == pytest.approx(0.11)
    assert "--across is now called --diameter" in caplog.text


def test_old_options_of_frame_and_symmetry(bracket: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    deprecation.reset()
    assert run(["objects", "build", bracket, "--out", str(tmp_path / "models"), "--center", "--no-symmetries"]) == 0
    np.testing.assert_allclose(load_objects(tmp_path / "models")[1].center, [0.04, 0.025, 0], atol=1e-8)
    assert "--center is ignored: the origin stays where the mesh file has it" in caplog.text
    assert "--no-symmetries is now called --no-symmetric" in caplog.text


def test_a_declared_symmetry_is_written(bracket: str, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "models"
    assert run(["objects", "build", bracket, "--out", str(out), "--no-symmetric", "--symmetric", "z/2"]) == 0
    printed = capsys.readouterr().out
    assert "--symmetric z/2 contradicts the mesh" in printed
    assert "symmetry   half-turn about z through" in printed
    assert len(load_objects(out)[1].symmetries_discrete) == 1
    assert run(["objects", "build", bracket, "--out", str(tmp_path / "other"), "--symmetric", "w"]) == 2
    assert "--symmetric: 'w' is not valid" in capsys.readouterr().err
