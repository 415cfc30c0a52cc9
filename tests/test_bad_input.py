"""What comes from outside and is wrong: one clear line on stderr, exit code 2, and nothing written is lost."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from posebot.cli.main import run

CAMERA = {"fx": 150.0, "fy": 150.0, "cx": 63.5, "cy": 47.5, "width": 128, "height": 96}
Refuse = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Refuse:
    """Runs a command line that must be refused; gives back the one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSEBOT_DEBUG", raising=False)

    def check(*arguments: object) -> str:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert code == 2, captured.err
        assert captured.err.startswith("posebot: error: "), captured.err
        assert captured.err.count("\n") == 1, captured.err
        assert captured.out == ""
        return captured.err

    return check


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8))
    return path


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(CAMERA))
    return path


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def test_the_good_case_works(picture: Path, camera: Path, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    files = ["--source", str(picture), "--camera", str(camera), "--bundle", str(bundle), "--out", str(out)]
    assert run(["infer", *files]) == 0
    assert json.loads(out.read_text())["schema"] == 1


def test_a_corrupt_picture(refused: Refuse, picture: Path, camera: Path, bundle: Path) -> None:
    picture.write_bytes(picture.read_bytes()[:5000])
    line = refused("infer", "--source", picture, "--camera", camera, "--bundle", bundle)
    assert "picture.png: the image is truncated" in line


def test_something_that_is_no_picture(refused: Refuse, picture: Path, camera: Path, bundle: Path) -> None:
    picture.write_text("not a picture")
    assert "picture.png: not readable as an image" in refused(
        "infer", "--source", picture, "--camera", camera, "--bundle", bundle)


def test_missing_intrinsics(refused: Refuse, picture: Path, bundle: Path) -> None:
    assert "--camera" in refused("infer", "--source", picture, "--bundle", bundle)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fx": None}, "camera.json:1: fx missing"),
        ({"width": 640, "height": 480}, "camera.json: intrinsics are for 640x480, the image is 128x96"),
        ({"fy": -150.0}, "not a pinhole matrix"),
        ({"cx": "left"}, "camera.json:1: cx: 'left' is not a list"),
    ],
)
def test_wrong_intrinsics(
    refused: Refuse, picture: Path, camera: Path, bundle: Path, changes: dict[str, object], expected: str
) -> None:
    camera.write_text(json.dumps({key: value for key, value in {**CAMERA, **changes}.items() if value is not None}))
    assert expected in refused("infer", "--source", picture, "--camera", camera, "--bundle", bundle)


def test_a_source_that_is_not_there(refused: Refuse, camera: Path, bundle: Path) -> None:
    assert "nowhere.png" in refused("infer", "--source", "nowhere.png", "--camera", camera, "--bundle", bundle)


def test_a_truncated_network(refused: Refuse, picture: Path, camera: Path, bundle: Path) -> None:
    network = bundle / "localizer.onnx"
    network.write_bytes(network.read_bytes()[:-100])
    line = refused("infer", "--source", picture, "--camera", camera, "--bundle", bundle)
    assert "localizer.onnx: does not match SHA256SUMS" in line


def test_a_tampered_weight(refused: Refuse, picture: Path, camera: Path, bundle: Path) -> None:
    network = bundle / "detector.onnx"
    data = bytearray(network.read_bytes())
    data[len(data) // 2] ^= 1
    network.write_bytes(data)
    line = refused("infer", "--source", picture, "--camera", camera, "--bundle", bundle)
    assert "detector.onnx: does not match SHA256SUMS" in line


def test_a_truncated_zip(refused: Refuse, picture: Path, camera: Path, bundle: Path, tmp_path: Path) -> None:
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in bundle.rglob("*"):
            file.write(path, path.relative_to(bundle))
    assert run(["infer", "--source", str(picture), "--camera", str(camera), "--bundle", str(archive)]) == 0
    archive.write_bytes(archive.read_bytes()[:-2000])
    line = refused("infer", "--source", picture, "--camera", camera, "--bundle", archive, "--out", "second.jsonl")
    assert "bundle.zip: is not a whole zip file" in line


def test_a_file_missing_from_a_bundle(refused: Refuse, picture: Path, camera: Path, bundle: Path) -> None:
    (bundle / "models" / "obj_000001.ply").unlink()
    assert "obj_000001.ply: is missing" in refused(
        "infer", "--source", picture, "--camera", camera, "--bundle", bundle)


def test_results_of_another_run_are_not_overwritten(
    refused: Refuse, picture: Path, camera: Path, bundle: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text('{"precious": true}\n')
    line = refused("infer", "--source", picture, "--camera", camera, "--bundle", bundle, "--out", results)
    assert "--out: " in line
    assert results.read_text() == '{"precious": true}\n'


def _box(path: Path, unit: float) -> Path:
    trimesh.creation.box(np.array([0.06, 0.08, 0.1]) / unit).export(path)
    return path


def test_an_empty_mesh(refused: Refuse, tmp_path: Path) -> None:
    mesh = tmp_path / "empty.stl"
    mesh.write_text("solid empty\nendsolid empty\n")
    assert "empty.stl" in refused("objects", "build", mesh, "--out", "models")
    assert not Path("models").exists()


@pytest.mark.parametrize(("stored_in", "told", "right"), [(0.001, "m", "--unit mm"), (1.0, "mm", "--unit m")])
def test_a_wrong_unit(refused: Refuse, tmp_path: Path, stored_in: float, told: str, right: str) -> None:
    mesh = _box(tmp_path / "box.ply", stored_in)
    line = refused("objects", "build", mesh, "--unit", told, "--out", "models")
    assert right in line
    assert not Path("models").exists()


def test_models_are_not_replaced_unasked(refused: Refuse, tmp_path: Path) -> None:
    mesh = _box(tmp_path / "box.ply", 0.001)
    assert run(["objects", "build", str(mesh), "--out", "models"]) == 0
    before = Path("models/models_info.json").read_bytes()
    assert "--overwrite" in refused("objects", "build", mesh, "--out", "models")
    assert Path("models/models_info.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("train", "--dataset", "nowhere", "--out", "bundle"), "nowhere"),
        (("evaluate", "--dataset", "nowhere", "--bundle", "nothing"), "no"),
        (("models", "show", "nothing"), "nothing: no such bundle"),
    ],
)
def test_folders_that_are_not_there(refused: Refuse, arguments: tuple[str, ...], expected: str) -> None:
    assert expected in refused(*arguments)


def test_a_setting_that_does_not_exist(refused: Refuse, tmp_path: Path) -> None:
    config = tmp_path / "train.yaml"
    config.write_text("detector:\n  minuets: 3\n")
    line = refused("train", "--dataset", tmp_path, "--out", "bundle", "--config", config)
    assert "train.yaml:2: detector.minuets: unknown key" in line
