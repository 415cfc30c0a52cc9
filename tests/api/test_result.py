"""A result draws itself and is exported to the forms of BOP, COCO and ROS."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

import posebot
from posebot.api.export import run_lengths
from posebot.core.transforms import make
from posebot.evaluation.bop_csv import read_csv


@pytest.fixture(scope="module")
def result(loaded: posebot.Model) -> posebot.Result:
    loaded.reset()
    return loaded(posebot.example_frame())


def test_calling_a_model(model: posebot.Model, result: posebot.Result) -> None:
    frame = posebot.example_frame()
    by_arrays = model(frame.rgb, K=frame.camera.K, depth=frame.depth)
    assert [pose.label for pose in by_arrays] == [pose.label for pose in result]
    assert np.allclose(by_arrays[0].cam_from_obj, result[0].cam_from_obj, atol=1e-6)
    assert result.model is not None and (result.model.name, result.model.version) == (model.name, model.version)
    assert np.array_equal(result.base_from_cam, frame.base_from_cam)
    assert repr(model).startswith(f"Model('kit', version {model.version}, 8 objects: tea_box, can, mug, ")


def test_views_are_fused_until_reset(model: posebot.Model) -> None:
    views = [posebot.example_frame(0), posebot.example_frame(1)]
    first, second = model.stream(views)
    assert max(pose.views for pose in first) == 1
    assert sum(pose.views == 2 for pose in second) >= 4
    assert {pose.label for pose in model.map()} >= {pose.label for pose in second if pose.status == "ok"}
    model.reset()
    assert model.map() == []
    assert max(pose.views for pose in model(views[1])) == 1


def test_json_and_back(result: posebot.Result) -> None:
    back = posebot.Result.from_dict(json.loads(result.to_json()))
    assert back.to_json() == result.to_json()
    assert (type(back), back.objects) == (posebot.Result, ())


def test_plot(result: posebot.Result) -> None:
    frame = posebot.example_frame()
    image = result.plot(frame.rgb)
    assert (image.mode, image.size) == ("RGB", (640, 504))
    assert result.plot(frame, scale=2).size == (1280, 1008)
    changed = np.asarray(image)[:480] != frame.rgb
    assert 0.01 < changed.any(axis=2).mean() < 0.3
    from_file = posebot.Result.from_dict(json.loads(result.to_json()))
    boxes_only = np.asarray(from_file.plot(frame.rgb))[:480] != frame.rgb
    assert 0.005 < boxes_only.any(axis=2).mean() < changed.any(axis=2).mean()
    redrawn = np.asarray(from_file.plot(frame.rgb, objects=result.objects)) != np.asarray(image)
    assert redrawn.any(axis=2).mean() < 0.005  # poses in JSON are rounded
    with pytest.raises(posebot.InputError, match="image is 640x200, camera says 640x480"):
        result.plot(frame.rgb[:200])


def test_a_distorted_image_is_undistorted_for_drawing(model: posebot.Model) -> None:
    frame = posebot.example_frame()
    camera = posebot.Camera(frame.camera.K, 640, 480, np.array([-0.3, 0.1, 0, 0]))
    result = model(frame.rgb, camera=camera)
    assert not result.camera.distorted and result.image_camera is camera
    assert np.asarray(result.plot(frame.rgb))[0, 0].tolist() != frame.rgb[0, 0].tolist()


def test_bop(result: posebot.Result, tmp_path: Path) -> None:
    rows = result.to_bop(tmp_path / "kit.csv", scene_id=3, im_id=7)
    pose = result[0].cam_from_obj
    assert pose is not None
    assert (rows[0]["scene_id"], rows[0]["im_id"], rows[0]["obj_id"]) == (3, 7, result[0].obj_id)
    assert np.allclose(rows[0]["t"].ravel(), 1000 * pose[:3, 3]) and np.allclose(rows[0]["R"], pose[:3, :3])
    written = read_csv(tmp_path / "kit.csv")
    assert len(written) == len(rows) == sum(entry.cam_from_obj is not None for entry in result)
    assert np.allclose(written[0].cam_from_obj, make(rows[0]["R"], rows[0]["t"] / 1000), atol=1e-5)
    assert result.replace(frame_id="000002/000038").to_bop()[0]["im_id"] == 38
    with pytest.raises(posebot.InputError, match="frame 'a' has no scene and image number; scene_id= and im_id="):
        result.replace(frame_id="a").to_bop()


def test_coco_masks_are_read_by_pycocotools(result: posebot.Result) -> None:
    for pose, entry in zip(result, result.to_coco(5), strict=True):
        assert (entry["image_id"], entry["category_id"]) == (5, pose.obj_id)
        x, y, width, height = entry["bbox"]
        assert np.allclose([x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5], pose.box_xyxy)
        assert pose.mask is not None
        packed = coco_mask.frPyObjects(entry["segmentation"], 480, 640)
        assert np.array_equal(coco_mask.decode(packed), pose.mask)


def test_run_lengths_begin_with_zeros() -> None:
    assert run_lengths(np.array([[True, False], [True, True]])) == {"size": [2, 2], "counts": [0, 2, 1, 1]}
    assert run_lengths(np.zeros((2, 2), bool)) == {"size": [2, 2], "counts": [4]}


def test_ros(result: posebot.Result) -> None:
    message = result.to_ros()
    assert message["header"]["frame_id"] == "base"
    first = message["detections"][0]
    assert first["results"][0]["hypothesis"]["class_id"] == result[0].label
    pose = first["results"][0]["pose"]
    assert len(pose["covariance"]) == 36
    assert result[0].base_from_obj is not None
    assert np.allclose([pose["pose"]["position"][axis] for axis in "xyz"], result[0].base_from_obj[:3, 3])
    json.dumps(message)
    placed = result.replace(estimates=tuple(replace(entry, base_from_obj=None) for entry in result), objects=())
    in_camera = placed.to_ros("wrist_optical")
    assert in_camera["header"]["frame_id"] == "wrist_optical"
    assert in_camera["detections"][0]["bbox"]["size"] == {"x": 0.0, "y": 0.0, "z": 0.0}


def test_a_path_is_never_a_packaged_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(posebot.InputError, match="no such file or folder") as caught:
        posebot.load(Path("kit"))
    assert caught.value.code == "file_not_found"


@pytest.mark.parametrize(("name", "code"), [
    ("kit", "ambiguous_bundle"), ("kit@3", "no_registry"), ("kti", "unknown_bundle")])
def test_names_that_cannot_be_resolved(name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kit").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(posebot.InputError) as caught:
        posebot.load(name)
    assert caught.value.code == code
