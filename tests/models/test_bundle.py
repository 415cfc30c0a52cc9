from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from posebot.core import deprecation
from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.models.bundle import Bundle, rewrite_manifest, write_bundle
from posebot.models.calibration import Calibration, ModeCalibration, OkRegions
from posebot.models.manifest import DetectorSpec, LocalizerSpec, Manifest, ObjectRef, PoseStage
from posebot.models.reference import resolve
from posebot.objects.bop_models import make_object, save_objects
from posebot.stages import POSE_STAGE_VERSION

CORNERS = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.06, 0], [0, 0, 0.04]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)


def manifest(**changes) -> Manifest:
    values = {"name": "demo", "version": "1", "objects": (ObjectRef(7, "wedge"), ObjectRef(3, "flat")),
              "detector": DetectorSpec((256, 320), 0.2), "localizer": LocalizerSpec(), "licence": "CC0-1.0",
              "provenance": {"seed": 1, "data": "kit"}}
    return Manifest(**{**values, **changes})


@pytest.fixture
def models(tmp_path) -> Path:
    save_objects(tmp_path / "models", {i: make_object(i, "mesh", Mesh(CORNERS, FACES)) for i in (3, 7)})
    return tmp_path / "models"


@pytest.fixture
def folder(tmp_path, models) -> Path:
    return write_bundle(tmp_path / "demo", manifest(), b"detector", b"localizer", models)


def resign(folder: Path) -> None:
    """Write SHA256SUMS again, as someone would who edits a bundle by hand."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_round_trip(folder):
    bundle = Bundle.open(folder)
    assert bundle.manifest == manifest()
    assert [(model.obj_id, model.label) for model in bundle.objects] == [(7, "wedge"), (3, "flat")]
    assert (bundle.detector, bundle.localizer) == (b"detector", b"localizer")
    np.testing.assert_allclose(bundle.objects[0].diameter, np.hypot(0.1, 0.06), rtol=1e-5)


def test_opens_a_zip_of_the_folder_or_of_its_files(folder, tmp_path):
    for name, root in (("flat", folder), ("nested", folder.parent)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for path in folder.rglob("*"):
                archive.write(path, path.relative_to(root))
        assert Bundle.open(tmp_path / f"{name}.zip").manifest.name == "demo"


def test_a_truncated_zip(folder, tmp_path):
    whole = Path(shutil.make_archive(str(tmp_path / "whole"), "zip", folder)).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.zip: is not a whole zip file"):
        Bundle.open(tmp_path / "cut.zip")


@pytest.mark.parametrize("name", ["detector.onnx", "localizer.onnx", "bundle.yaml", "models/obj_000003.ply"])
def test_a_changed_file_is_named(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes() + b"\0")
    with pytest.raises(InputError, match=rf"{name}: does not match SHA256SUMS"):
        Bundle.open(folder)


@pytest.mark.parametrize("name", ["detector.onnx", "models/obj_000007.ply", "SHA256SUMS"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}.* missing"):
        Bundle.open(folder)


def test_sums_must_cover_the_networks(folder):
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    (folder / "SHA256SUMS").write_text("\n".join(line for line in lines if "localizer.onnx" not in line))
    with pytest.raises(InputError, match=r"localizer\.onnx is not listed"):
        Bundle.open(folder)


@pytest.mark.parametrize("line", ["short  detector.onnx", f"{'0' * 64}  ../secret", f"{'0' * 64}  /etc/passwd"])
def test_sums_stay_inside_the_bundle(folder, line):
    (folder / "SHA256SUMS").write_text(line)
    with pytest.raises(InputError, match="SHA256SUMS: line 1"):
        Bundle.open(folder)


@pytest.mark.parametrize(("path", "value", "message"), [
    (("schema",), 2, "schema: 2; this posebot reads schema 1"),
    (("schema",), None, "schema: None; this posebot reads schema 1"),
    (("colour",), 1, r"bundle\.yaml:\d+: colour: unknown key"),
    (("upright_prior",), 85, "upright_prior: 85 is not valid; a number from 0 to 1"),
    (("pose_stage", "version"), "new", r"pose_stage\.version: new is not valid; a whole number, at least 0"),
    (("name",), 3, "name: 3 is not valid; text"),
    (("objects",), [], "objects: empty, or one obj_id twice; each object once"),
    (("objects",), [{"obj_id": 3, "label": "a"}, {"obj_id": 3, "label": "b"}], "one obj_id twice"),
    (("objects",), [{"obj_id": 99, "label": "a"}], "object 99 .* is missing"),
    (("objects",), ["box"], r"objects\.0: is text; it must be a mapping"),
    (("detector", "threshold"), 1.5, r"detector\.threshold: 1\.5 is not valid; a number from 0 to 1"),
    (("detector", "threshold"), True, r"detector\.threshold: true is not valid"),
    (("detector", "input_size"), [256], r"detector\.input_size"),
    (("detector", "bias"), 1, r"detector\.bias: unknown key"),
    (("localizer", "pad"), 0.5, r"localizer\.pad: 0\.5 is not valid; a number from 1 to 3"),
    (("calibration", "depth", "bias"), "x", r"calibration\.depth\.bias"),
    (("calibration", "depth", "edges"), [0.5], "quantiles"),
    (("provenance",), [], "provenance"),
])
def test_every_field_is_checked(folder, path, value, message):
    data = yaml.safe_load((folder / "bundle.yaml").read_text())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (folder / "bundle.yaml").write_text(yaml.safe_dump(data))
    resign(folder)
    with pytest.raises(InputError, match=message):
        Bundle.open(folder)


def test_an_older_bundle_opens_and_its_keys_are_reported(folder, caplog):
    data = yaml.safe_load((folder / "bundle.yaml").read_text())
    slopes = {"print": [1.0, 2.0], "standing": [0.5, 1.5]}
    data["detector"]["looks"] = data["detector"].pop("tta_views") + 2
    data["localizer"]["reach"] = data["localizer"].pop("box_jitter") + 0.1
    data["standing"] = data.pop("upright_prior") + 0.85
    del data["pose_stage"]
    data["calibration"]["rgb"] = {"alike": 0.2, "weights": slopes, "knots": {"print": [0.5], "standing": [0.25]}}
    (folder / "bundle.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    resign(folder)
    deprecation.reset()
    manifest = Bundle.open(folder).manifest
    assert (manifest.detector.tta_views, manifest.localizer.box_jitter, manifest.upright_prior) == (3, 0.22, 0.85)
    assert manifest.pose_stage == PoseStage(0)
    assert manifest.calibration.rgb.weights == {"texture": (1.0, 2.0), "upright": (0.5, 1.5)}
    assert manifest.calibration.rgb.view_correlation == 0.2
    reported = " ".join(record.getMessage() for record in caplog.records)
    for old, new in (("looks", "tta_views"), ("reach", "box_jitter"), ("standing", "upright_prior"),
                     ("alike", "view_correlation"), ("print", "texture"), ("standing", "upright")):
        assert reported.count(f"{old} is now called {new};") == 1
    rewrite_manifest(folder, manifest)
    assert not {"looks:", "reach:", "standing:", "alike:", "print:"} & set((folder / "bundle.yaml").read_text().split())


def test_a_bundle_with_a_second_copy_of_its_weights_opens_and_loses_it_when_rewritten(folder):
    (folder / "weights").mkdir()
    (folder / "weights" / "detector.safetensors").write_bytes(b"weights")
    resign(folder)
    manifest = Bundle.open(folder).manifest
    rewrite_manifest(folder, manifest)
    assert not (folder / "weights").exists()
    assert Bundle.open(folder).manifest == manifest


@pytest.mark.parametrize("name", ["kit", "lmo", "ycb"])
def test_shipped_bundles_are_current(name, caplog):
    deprecation.reset()
    manifest = Bundle.open(name).manifest
    assert manifest.pose_stage == PoseStage(POSE_STAGE_VERSION)
    assert caplog.records == []


def test_yaml_that_is_none(folder):
    (folder / "bundle.yaml").write_text("name: [")
    resign(folder)
    with pytest.raises(InputError, match="is not valid YAML"):
        Bundle.open(folder)


def test_unknown_names(tmp_path):
    with pytest.raises(InputError, match="no such bundle"):
        resolve("nothing-like-it")


def test_calibration_round_trip():
    mode = ModeCalibration({"geometry": (2.0, 1.0)}, {"geometry": (0.5,)}, -1.0, {3: 0.2}, 0.6, 9.0, (0.01, 0.02),
                           (0.3,), (2.0, 3.0), (1.0, 4.0), (0.4, 0.8, 1.0, 1.3), {3: (0.5, 0.9, 1.1, 1.4)},
                           OkRegions(1.5, 2.5, (0.4, 0.8, 1.0, 1.3), {3: (0.5, 0.9, 1.1, 1.4)}, {3: 40}, 2), 0.1, 100)
    calibration = Calibration(depth=mode)
    assert Calibration.from_dict(yaml.safe_load(yaml.safe_dump(calibration.to_dict()))) == calibration
    assert Calibration.from_dict({}) == Calibration()


@pytest.mark.parametrize(("field", "value"), [
    ("weights", {"texture": [1.0, 2.0]}), ("region_scale", [1.0]), ("floor", [0.1]), ("edges", [0.2]), ("bias", "high"),
    ("object_bias", {"mug": 1.0}), ("ok_threshold", float("nan")), ("view_correlation", 2.0), ("odd", 1),
])
def test_a_calibration_that_does_not_fit_names_its_field(field, value):
    with pytest.raises(InputError, match=r"calibration: rgb"):
        Calibration.from_dict({"rgb": {field: value}})


def test_rewrite_keeps_everything_else(folder):
    rewrite_manifest(folder, manifest(version="2"))
    bundle = Bundle.open(folder)
    assert bundle.manifest.version == "2"
    assert bundle.detector == b"detector"
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_writing_refuses_a_folder_that_is_no_bundle(tmp_path, models):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="is not a bundle"):
        write_bundle(tmp_path / "home", manifest(), b"", b"", models)
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"


def test_a_failed_write_leaves_the_old_bundle(folder, models):
    broken = manifest(objects=(ObjectRef(99, "absent"),))
    with pytest.raises(InputError, match="object 99"):
        write_bundle(folder, broken, b"new", b"new", models)
    assert Bundle.open(folder).detector == b"detector"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["demo", "models"]
