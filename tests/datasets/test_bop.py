from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from posebot.core.camera import Camera, box_from_mask
from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.transforms import make, rotation_from_vector
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.datasets.bop_write import SceneWriter, Truth, depth_to_png

CAMERA = Camera(np.array([[310.0, 0, 40.25], [0, 312.5, 29.75], [0, 0, 1]]), 80, 60)
KEY = ImageKey(4, 9)


def mask(columns: slice, rows: slice) -> NDArray[np.bool_]:
    found = np.zeros((60, 80), bool)
    found[rows, columns] = True
    return found


def frame(seed: int = 0, depth: bool = True) -> Frame:
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
    reading = rng.uniform(0.2, 3, (60, 80)).astype(np.float32) if depth else None
    pose = make(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3))
    return Frame(rgb, CAMERA, reading, pose, KEY.frame_id)


def truth(turn: tuple[float, ...] = (0.3, -1.0, 2.0), place: tuple[float, ...] = (0.01, -0.02, 0.7)) -> Truth:
    whole = mask(slice(0, 30), slice(10, 40))
    seen = mask(slice(0, 20), slice(15, 40))
    return Truth(3, make(rotation_from_vector(np.array(turn)), place), seen, whole, np.array([-12.5, 9.5, 29.5, 39.5]), 1260)


def written(folder: Path, made: Frame, truths: list[Truth]) -> BopDataset:
    writer = SceneWriter(folder / "train", KEY.scene_id, jpg_quality=None)
    writer.add(KEY.im_id, made, truths)
    writer.finish()
    return BopDataset(folder, "train")


def test_a_frame_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = frame()
    assert made.depth is not None and made.base_from_cam is not None
    read = written(tmp_path, made, [truth()]).frame(KEY)
    assert np.array_equal(read.rgb, made.rgb)
    assert read.frame_id == "000004/000009"
    assert read.depth is not None and read.base_from_cam is not None
    np.testing.assert_allclose(read.depth, made.depth, atol=0.51e-4)
    np.testing.assert_allclose(read.camera.K, CAMERA.K, atol=1e-6)
    np.testing.assert_allclose(read.base_from_cam, made.base_from_cam, atol=1e-7)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turn=st.tuples(*[st.floats(-3, 3)] * 3), place=st.tuples(*[st.floats(-2, 2)] * 3))
def test_a_pose_comes_back_to_a_micrometre(tmp_path: Path, turn, place) -> None:
    (read,) = written(tmp_path, frame(), [truth(turn, place)]).annotations(KEY)
    np.testing.assert_allclose(read.cam_from_obj, truth(turn, place).cam_from_obj, atol=1e-6)


def test_masks_boxes_and_visibility_come_back(tmp_path: Path) -> None:
    dataset, given_truth = written(tmp_path, frame(), [truth(), truth()]), truth()
    first, second = dataset.annotations(KEY)
    assert (first.index, second.index, first.obj_id) == (0, 1, 3)
    seen, whole = dataset.mask_visib(KEY, 1), dataset.mask(KEY, 1)
    assert seen is not None and np.array_equal(seen, given_truth.mask_visib)
    assert whole is not None and np.array_equal(whole, given_truth.mask)
    assert first.box_visib is not None
    assert np.array_equal(first.box_visib, box_from_mask(given_truth.mask_visib))
    assert np.array_equal(first.box_amodal, given_truth.box_amodal)
    assert first.visib_fract == pytest.approx(500 / 1260, abs=1e-6)


def test_the_files_are_those_of_the_format(tmp_path: Path) -> None:
    written(tmp_path, frame(), [truth()])
    scene = tmp_path / "train/000004"
    assert {path.name for path in scene.iterdir()} == {
        "rgb", "depth", "mask", "mask_visib", "scene_camera.json", "scene_gt.json", "scene_gt_info.json"}
    assert (scene / "mask_visib/000009_000000.png").is_file()
    entry = json.loads((scene / "scene_gt.json").read_text())["9"][0]
    assert entry["cam_t_m2c"] == pytest.approx([10, -20, 700])
    info = json.loads((scene / "scene_gt_info.json").read_text())["9"][0]
    assert info["bbox_obj"] == [-12, 10, 42, 30]
    assert info["bbox_visib"] == [0, 15, 20, 25]
    assert (info["px_count_all"], info["px_count_visib"]) == (1260, 500)
    depth = cv2.imread(str(scene / "depth/000009.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16


def test_an_object_that_is_not_seen_has_no_box(tmp_path: Path) -> None:
    hidden = Truth(3, make(translation=[0, 0, 1]), mask(slice(0), slice(0)), mask(slice(0, 5), slice(0, 5)),
                   np.array([-0.5, -0.5, 4.5, 4.5]), 25)
    (read,) = written(tmp_path, frame(), [hidden]).annotations(KEY)
    assert read.box_visib is None
    assert read.visib_fract == 0


def test_pictures_may_be_without_depth_and_without_objects(tmp_path: Path) -> None:
    dataset = written(tmp_path, frame(depth=False), [])
    assert dataset.frame(KEY).depth is None
    assert dataset.annotations(KEY) == []


def test_an_unfinished_scene_is_not_seen(tmp_path: Path) -> None:
    written(tmp_path, frame(), [truth()])
    writer = SceneWriter(tmp_path / "train", 5)
    writer.add(0, frame(), [])
    assert BopDataset(tmp_path, "train").scenes == [4]
    writer.finish()
    assert BopDataset(tmp_path, "train").scenes == [4, 5]


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    SceneWriter(tmp_path / "train", 4).add(7, frame(), [])
    dataset = written(tmp_path, frame(), [truth()])
    assert dataset.keys() == [KEY]
    assert not (tmp_path / "train/000004/rgb/000007.jpg").exists()


def test_depth_that_is_too_far_for_16_bits_is_no_reading() -> None:
    units = depth_to_png(np.array([[0.0, 1.0, 6.5535, 7.0]], np.float32))
    assert units.tolist() == [[0, 10000, 65535, 0]]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        SceneWriter(tmp_path / "train", 0)


def test_targets_without_a_list_are_what_is_seen(tmp_path: Path) -> None:
    (target,) = written(tmp_path, frame(), [truth(), truth()]).targets()
    assert (target.key, target.obj_id, target.inst_count) == (KEY, 3, 2)


@pytest.mark.parametrize(("name", "text", "said"), [
    ("scene_camera.json", "{", "scene_camera.json"),
    ("scene_camera.json", '{"9": {"cam_K": [1, 2]}}', "cam_K"),
    ("scene_gt.json", '{"9": [{"cam_R_m2c": [1], "cam_t_m2c": [1, 2, 3], "obj_id": 3}]}', "cam_R_m2c"),
    ("scene_gt.json", '{"9": [{"cam_t_m2c": [1, 2, 3]}]}', "obj_id"),
    ("scene_gt_info.json", '{"9": []}', "scene_gt_info.json"),
])
def test_a_damaged_table_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    written(tmp_path, frame(), [truth()])
    (tmp_path / "train/000004" / name).write_text(text)
    dataset = BopDataset(tmp_path, "train")
    with pytest.raises(InputError, match=said):
        dataset.frame(KEY), dataset.annotations(KEY)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    dataset = written(tmp_path, frame(), [truth()])
    path = tmp_path / "train/000004/rgb/000009.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"000009\.png"):
        dataset.frame(KEY)


def test_a_missing_split_names_those_that_are_there(tmp_path: Path) -> None:
    written(tmp_path, frame(), [])
    with pytest.raises(InputError, match="train"):
        BopDataset(tmp_path, "test")


def test_real_photographs_are_read(real_data: Path) -> None:
    if not (real_data / "lmo").is_dir():
        pytest.skip(f"no {real_data / 'lmo'}")
    dataset = BopDataset(real_data / "lmo", "test")
    assert len(dataset.targets()) > 300
    key = dataset.targets()[0].key
    assert dataset.frame(key).rgb.shape == (480, 640, 3)
    assert all(a.cam_from_obj[2, 3] > 0.2 for a in dataset.annotations(key))
