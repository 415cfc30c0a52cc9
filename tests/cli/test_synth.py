from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from posebot.cli.main import run
from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.datasets.bop import BopDataset
from posebot.objects.bop_models import make_object, save_objects


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tetrahedron."""
    corners = np.array([[0.0, 0, 0], [0.08, 0, 0], [0, 0.08, 0], [0, 0, 0.08]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    folder = tmp_path_factory.mktemp("objects") / "models"
    save_objects(folder, {1: make_object(1, "tip", Mesh(corners, faces))})
    return folder


@pytest.fixture(scope="module")
def opengl() -> None:
    from posebot.synth.assets import AssetLibrary
    from posebot.synth.opengl import OpenGLContext

    try:
        OpenGLContext(AssetLibrary({})).release()
    except InputError as error:
        pytest.skip(str(error))


def command(models: Path, out: Path, *more: str) -> list[str]:
    return ["synth", "--objects", str(models), "--out", str(out), "--frames", "3", "--size", "96x72", "--workers", "1",
            *more]


@pytest.mark.usefixtures("opengl")
def test_frames_are_made_and_counted(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(models, tmp_path, "--json", "--split", "val", "--fov", "50", "--png", "--jitter", "0")) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["frames"], result["skipped"]) == (3, 0)
    assert result["frames_per_second"] > 0
    dataset = BopDataset(tmp_path, "val")
    frame = dataset.frame(dataset.keys()[0])
    assert frame.rgb.shape == (72, 96, 3)
    assert frame.camera.K[0, 0] == pytest.approx(48 / np.tan(np.deg2rad(25)))
    assert run(command(models, tmp_path, "--split", "val", "--fov", "50", "--png", "--jitter", "0")) == 0
    assert "all 3 frames are already present" in capsys.readouterr().out


@pytest.mark.usefixtures("opengl")
def test_intrinsics_come_from_a_file(models: Path, tmp_path: Path) -> None:
    camera = tmp_path / "camera.json"
    camera.write_text('{"fx": 90, "fy": 91, "cx": 40, "cy": 30, "width": 80, "height": 60}')
    assert run(command(models, tmp_path / "out", "--camera", str(camera), "--jitter", "0", "--frames", "1")) == 0
    dataset = BopDataset(tmp_path / "out", "train")
    assert dataset.camera_K(dataset.keys()[0]).tolist() == [[90, 0, 40], [0, 91, 30], [0, 0, 1]]


@pytest.mark.parametrize(("options", "said"), [
    (["--size", "large"], "--size"),
    (["--size", "0x20"], "size"),
    (["--distance", "near"], "--distance"),
    (["--distance", "1.4-0.4"], "distance"),
    (["--distance", "nan-1"], "distance"),
    (["--frames", "0"], "--frames"),
    (["--seed", "-1"], "--seed"),
    (["--mix", "2"], "--mix"),
    (["--renderer", "magic"], "--renderer"),
    (["--workers", "0"], "--workers"),
    (["--fov", "500"], "--fov"),
    (["--camera", "nowhere.json"], "nowhere.json"),
    (["--backgrounds", "nowhere"], "nowhere"),
    (["--distractors", "nowhere"], "nowhere"),
    (["--objects", "nowhere"], "nowhere"),
    (["--split", "../elsewhere"], "split"),
    (["--split", ""], "split"),
    (["--split", "models"], "split"),
])
def test_bad_options_are_one_line_and_exit_code_2(
    models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert run([*command(models, tmp_path / "out"), *options]) == 2
    told = capfd.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert not list(tmp_path.rglob("*.jpg"))


def test_each_folder_of_distractors_is_read(models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    both = ["--distractors", str(models), "--distractors", str(tmp_path / "nowhere")]
    assert run([*command(models, tmp_path / "out"), *both]) == 2
    assert "nowhere" in capfd.readouterr().err


def test_a_file_as_out_is_refused(models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("a file")
    assert run(command(models, tmp_path / "out")) == 2
    assert "cannot be written" in capfd.readouterr().err


@pytest.mark.usefixtures("opengl")
def test_distance_is_proposed_and_the_images_are_summed_up(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """tip: 113 mm; a lens of 100 pixels: half of the 72 pixels at 0.31 m, 60 pixels at 0.19 m: 0.31 m and half more."""
    camera = tmp_path / "camera.json"
    camera.write_text('{"fx": 100, "fy": 100, "cx": 47.5, "cy": 35.5, "width": 96, "height": 72}')
    assert run([*command(models, tmp_path / "out"), "--camera", str(camera)]) == 0
    told = capsys.readouterr()
    assert "distance 0.31-0.46 m: tip (113 mm) 25 to 36 pixels; --distance changes it" in told.err
    assert "warning: tip: under 30 pixels at 0.46 m" in told.err
    assert "tip: " in told.out
    assert "usable crops" in told.out
    assert (tmp_path / "out" / "train" / "contact_sheet.jpg").is_file()
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["splits"]["train"]["scale"] == 0.86


@pytest.mark.usefixtures("opengl")
def test_a_distance_at_which_a_part_is_too_small_is_warned_of(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command(models, tmp_path), "--distance", "0.3-1.4", "--json"]) == 0
    told = capsys.readouterr()
    assert "under 30 pixels at 1.4 m" in told.err
    assert json.loads(told.out)["objects"][0]["label"] == "tip"
