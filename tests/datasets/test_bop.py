from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posebot.core.camera import project
from posebot.core.errors import InputError
from posebot.core.transforms import apply
from posebot.datasets.bop import BopDataset, ImageKey, Target
from tests.datasets.bop_fixture import frame, truth, write

KEY = ImageKey(4, 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, [(frame(), [truth(), truth(5, 1)])])
    return tmp_path


def edit(root: Path, name: str, change: Any) -> None:
    """Change the entry of image 0 in a scene's table."""
    path = root / "train" / "000004" / f"{name}.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def test_the_keys_name_scene_and_image(root: Path) -> None:
    keys = BopDataset(root, "train").keys()
    assert keys == [KEY]
    assert keys[0].frame_id == "000004/000000"


def test_a_data_set_can_be_sent_to_another_process(root: Path) -> None:
    dataset = BopDataset(root, "train")
    dataset.annotations(KEY)
    assert pickle.loads(pickle.dumps(dataset)).keys() == [KEY]


def test_a_missing_split_names_the_splits_that_are_there(root: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder.*contains: train"):
        BopDataset(root, "test")


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    with pytest.raises(InputError, match="contains no scene"):
        BopDataset(tmp_path, "test")


def test_without_depth_the_frame_has_none(tmp_path: Path) -> None:
    write(tmp_path, [(frame(depth=False, placed=False), [])])
    taken = BopDataset(tmp_path, "train").frame(KEY)
    assert taken.depth is None
    assert taken.base_from_cam is None


def test_a_grey_picture_becomes_rgb(root: Path) -> None:
    scene = root / "train" / "000004"
    shutil.rmtree(scene / "rgb")
    (scene / "gray").mkdir()
    cv2.imwrite(str(scene / "gray" / "000000.tif"), np.full((48, 64), 77, np.uint8))
    rgb = BopDataset(root, "train").frame(KEY).rgb
    assert rgb.shape == (48, 64, 3)
    assert (rgb == 77).all()


def test_rotations_become_orthonormal(root: Path) -> None:
    edit(root, "scene_gt", lambda table: table["0"][0].update(
        cam_R_m2c=(np.reshape(table["0"][0]["cam_R_m2c"], (3, 3)) * 1.008).ravel().tolist()))
    rotation = BopDataset(root, "train").annotations(KEY)[0].cam_from_obj[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation, truth().cam_from_obj[:3, :3], atol=1e-6)


def test_without_gt_info_boxes_come_from_the_masks(root: Path) -> None:
    (root / "train" / "000004" / "scene_gt_info.json").unlink()
    found = BopDataset(root, "train").annotations(KEY)[0]
    assert found.box_visib is not None
    np.testing.assert_array_equal(found.box_visib, [9.5, 4.5, 19.5, 14.5])
    np.testing.assert_array_equal(found.box_amodal, [9.5, 4.5, 19.5, 24.5])
    assert found.visib_fract == 0.5


def test_what_is_not_seen_has_no_visible_box(root: Path) -> None:
    edit(root, "scene_gt_info", lambda table: table["0"][0].update(bbox_visib=[-1, -1, -1, -1], visib_fract=0.0))
    assert BopDataset(root, "train").annotations(KEY)[0].box_visib is None


def test_without_gt_there_are_no_annotations(root: Path) -> None:
    (root / "train" / "000004" / "scene_gt.json").unlink()
    (root / "train" / "000004" / "scene_gt_info.json").unlink()
    assert BopDataset(root, "train").annotations(KEY) == []


def test_without_masks_there_are_none(root: Path) -> None:
    shutil.rmtree(root / "train" / "000004" / "mask")
    dataset = BopDataset(root, "train")
    assert dataset.mask(KEY, 0) is None
    assert dataset.mask_visib(KEY, 0) is not None


def test_without_a_targets_file_all_that_is_seen_is_a_target(root: Path) -> None:
    edit(root, "scene_gt_info", lambda table: table["0"][1].update(visib_fract=0.05))
    assert BopDataset(root, "train").targets() == [Target(KEY, 3, 1)]


def test_a_targets_file_is_read(root: Path) -> None:
    rows = [{"scene_id": scene, "im_id": 0, "obj_id": 5, "inst_count": 2} for scene in (4, 9)]
    (root / "test_targets_bop19.json").write_text(json.dumps(rows))
    assert BopDataset(root, "train").targets() == [Target(KEY, 5, 2)]


def test_a_target_without_a_field_is_refused(root: Path) -> None:
    (root / "test_targets_bop19.json").write_text('[{"scene_id": 4, "im_id": 0, "obj_id": 5}]')
    with pytest.raises(InputError, match="inst_count"):
        BopDataset(root, "train").targets()


@pytest.mark.parametrize(("name", "change", "message"), [
    ("scene_camera", lambda t: t["0"].pop("cam_K"), r"scene_camera.json: image 0: cam_K"),
    ("scene_camera", lambda t: t["0"].update(cam_K=[1.0] * 8), r"cam_K has 8 numbers; 9 numbers"),
    ("scene_camera", lambda t: t["0"].update(cam_K=["a"] * 9), r"is not finite; 9 finite numbers"),
    ("scene_camera", lambda t: t["0"].update(cam_K=[-1.0, 0, 0, 0, 1, 0, 0, 0, 1]), r"not a pinhole matrix"),
])
def test_broken_intrinsics_name_file_image_and_field(root: Path, name: str, change: Any, message: str) -> None:
    edit(root, name, change)
    with pytest.raises(InputError, match=message):
        BopDataset(root, "train").frame(KEY)


@pytest.mark.parametrize(("name", "change", "message"), [
    ("scene_gt", lambda t: t["0"][1].update(cam_t_m2c=[1, 2]), r"scene_gt.json: image 0, entry 1: cam_t_m2c has 2"),
    ("scene_gt", lambda t: t["0"][0].pop("obj_id"), r"entry 0: no obj_id"),
    ("scene_gt", lambda t: t["0"].pop(), r"scene_gt_info.json: image 0: 2 entries; 1"),
    ("scene_gt_info", lambda t: t["0"][0].pop("visib_fract"), r"entry 0: visib_fract"),
    ("scene_gt_info", lambda t: t["0"][0].update(bbox_obj=[1, 2, 3]), r"bbox_obj has 3 numbers"),
])
def test_broken_truth_names_file_entry_and_field(root: Path, name: str, change: Any, message: str) -> None:
    edit(root, name, change)
    with pytest.raises(InputError, match=message):
        BopDataset(root, "train").annotations(KEY)


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"a": 1}'])
def test_a_broken_table_is_named(root: Path, content: str) -> None:
    (root / "train" / "000004" / "scene_camera.json").write_text(content)
    with pytest.raises(InputError, match=r"scene_camera\.json"):
        BopDataset(root, "train").keys()


@pytest.mark.parametrize("keep", [0, 5, 300])
@pytest.mark.parametrize("png", [True, False])
def test_a_cut_off_picture_is_named(tmp_path: Path, keep: int, png: bool) -> None:
    scene = write(tmp_path, [(frame(), [])], png=png)
    path = next((scene / "rgb").iterdir())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=rf"{path.name}: "):
        BopDataset(tmp_path, "train").frame(KEY)


def test_a_missing_picture_is_named(root: Path) -> None:
    shutil.rmtree(root / "train" / "000004" / "rgb")
    with pytest.raises(InputError, match=r"image 0: no image"):
        BopDataset(root, "train").frame(KEY)


@pytest.mark.parametrize(("name", "pictures", "annotated", "depth"), [("lmo", 50, 383, False), ("lm10", 9, 9, False),
                                                                      ("ycb", 3, 10, True)])
def test_real_data_sets_are_read(real_data: Path, name: str, pictures: int, annotated: int, depth: bool) -> None:
    dataset = BopDataset(real_data / name, "test")
    keys = dataset.keys()
    assert len(keys) == pictures
    assert sum(len(dataset.annotations(key)) for key in keys) == annotated
    assert (dataset.frame(keys[0]).depth is not None) == depth
    assert {target.key for target in dataset.targets()} <= set(keys)


def test_real_boxes_agree_with_the_projected_mesh(real_data: Path) -> None:
    """Pixel centres, units and axes at once: a slip of half a pixel would show.

    BOP's own tools write width = last column - first column, one less than the columns there are: right and bottom
    come out one pixel short.
    """
    dataset = BopDataset(real_data / "lmo", "test")
    off = []
    for key in dataset.keys()[:6]:
        for found in dataset.annotations(key):
            vertices = dataset.objects[found.obj_id].mesh.vertices
            pixels = project(dataset.camera_K(key), apply(found.cam_from_obj, vertices))
            off.append(np.concatenate([pixels.min(axis=0), pixels.max(axis=0)]) - found.box_amodal)
    np.testing.assert_allclose(np.mean(off, axis=0), [0, 0, 1, 1], atol=0.25)
