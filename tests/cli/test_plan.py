from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from posebot.cli.main import app, run
from posebot.core.objects import Mesh
from posebot.objects.bop_models import make_object, save_objects

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A wedge of 100 mm in data/wedge/models."""
    corners = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.02, 0], [0, 0, 0.03]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    folder = tmp_path / "data" / "wedge" / "models"
    save_objects(folder, {1: make_object(1, "wedge", Mesh(corners, faces))})
    return folder


def test_the_commands_can_be_pasted(models: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Each is one that posebot understands, with the splits apart and evaluation with and without depth."""
    monkeypatch.chdir(models.parents[2])
    camera = Path("camera.json")
    camera.write_text(json.dumps({"fx": 600, "fy": 600, "cx": 319.5, "cy": 239.5, "width": 640, "height": 480}))
    options = ["--camera", "camera.json", "--distance", "0.3-0.6", "--minutes", "20"]
    assert run(["plan", "--objects", "data/wedge/models", *options]) == 0
    told = capsys.readouterr().out
    assert "wedge, 104 mm  0.3 m" in told and "distance 0.3-0.6 m (given)" in told
    lines = [shlex.split(line) for line in told.splitlines() if line.startswith("posebot ")]
    assert [line[1] for line in lines] == ["synth", "synth", "synth", "train", "evaluate", "evaluate"]
    for _, name, *options in lines:
        get_command(app).get_command(None, name).make_context(name, options)  # type: ignore[attr-defined, arg-type]
    assert [line[line.index("--split") + 1] for line in lines[:3]] == ["train", "val", "test"]
    assert len({line[line.index("--seed") + 1] for line in lines[:3]}) == 3
    assert all(line[line.index("--camera") + 1] == "camera.json" for line in lines[:3])
    assert lines[5] == [*lines[4], "--no-depth"]
    assert lines[3][-4:] == ["--minutes", "20", "--out", "bundles/wedge"]


def test_json_has_the_same(models: Path, capsys: Capture) -> None:
    assert run(["plan", "--objects", str(models), "--frames", "400", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["train"] == 400 and report["proposed"] is True and len(report["commands"]) == 6
    assert report["objects"][0]["far"]["pixels"] == pytest.approx(60, rel=0.05)


def test_a_small_object_is_warned_of(models: Path, capsys: Capture) -> None:
    assert run(["plan", "--objects", str(models), "--distance", "1-4"]) == 0
    assert "warning: wedge: 15 pixels at 4 m, under 30: hardly to be found there" in capsys.readouterr().out


@pytest.mark.parametrize("distance", ["far", "0.9-0.3", "0-1", "1-9"])
def test_a_wrong_distance_is_one_line(models: Path, distance: str, capsys: Capture) -> None:
    assert run(["plan", "--objects", str(models), "--distance", distance]) == 2
    assert capsys.readouterr().err.startswith("posebot: error: --distance: ")
