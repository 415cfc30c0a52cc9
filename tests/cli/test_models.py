"""`posebot models show`."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from posebot.cli.main import run
from posebot.models.bundle import Bundle, rewrite_manifest
from posebot.stages.pipeline import Pipeline


def test_show_as_json(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", str(tiny_bundle), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert (described["name"], described["version"]) == ("tiny", "0.0.1")
    assert described["objects"] == [{
        "obj_id": 1, "label": "box", "diameter_mm": 141.4, "extents_mm": [60.0, 80.0, 100.0], "faces": 12,
        "landmarks": 0, "symmetries": {"discrete": 0, "continuous": 0}}]
    assert described["detector"]["bytes"] == (tiny_bundle / "detector.onnx").stat().st_size


def test_show_for_people(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", str(tiny_bundle)]) == 0
    text = capsys.readouterr().out
    assert "tiny 0.0.1, licence MIT" in text
    assert "60.0 x 80.0 x 100.0" in text


def test_show_says_whether_objects_stand(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied = shutil.copytree(tiny_bundle, tmp_path / "standing")
    rewrite_manifest(copied, replace(Bundle.open(copied).manifest, upright_prior=0.85))
    told = []
    for folder in (tiny_bundle, copied):
        assert run(["models", "show", str(folder)]) == 0
        told.append("upright prior: 85 % of the objects" in capsys.readouterr().out)
    assert told == [False, True]
    assert Pipeline(Bundle.open(copied)).solver.upright_prior == 0.85


def test_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", "nonesuch"]) == 2
    assert capsys.readouterr().err.startswith("posebot: error: nonesuch: no such bundle")
