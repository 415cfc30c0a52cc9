from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import InputError
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.datasets.bop_writer import SceneWriter, depth_to_png
from tests.datasets.bop_fixture import CAMERA, frame, truth, write

KEY = ImageKey(4, 1)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    taken, objects = frame(1), [truth(), truth(5, 1)]
    write(tmp_path, [(frame(), []), (taken, objects)])
    dataset = BopDataset(tmp_path, "train")
    again = dataset.frame(KEY)
    np.testing.assert_array_equal(again.rgb, taken.rgb)
    np.testing.assert_allclose(again.camera.K, CAMERA.K, atol=1e-6)
    assert again.depth is not None
    np.testing.assert_allclose(again.depth, taken.depth, atol=5.1e-5)
    np.testing.assert_allclose(again.base_from_cam, taken.base_from_cam, atol=1e-7)
    for index, (found, true) in enumerate(zip(dataset.annotations(KEY), objects)):
        assert found.obj_id == true.obj_id
        np.testing.assert_allclose(found.cam_from_obj, true.cam_from_obj, atol=1e-7)
        np.testing.assert_array_equal(found.box_amodal, true.box_amodal)
        np.testing.assert_array_equal(found.box_visib, [9.5, 4.5, 19.5, 14.5])
        assert found.visib_fract == true.visib_fract == 0.25
        np.testing.assert_array_equal(dataset.mask(KEY, index), true.mask)
        np.testing.assert_array_equal(dataset.mask_visib(KEY, index), true.mask_visib)


def test_jpeg_pictures_are_close(tmp_path: Path) -> None:
    taken = frame()
    smooth = np.full_like(taken.rgb, 90)
    write(tmp_path, [(type(taken)(smooth, CAMERA), [])], png=False)
    read = BopDataset(tmp_path, "train").frame(ImageKey(4, 0)).rgb
    assert np.abs(read.astype(int) - 90).max() <= 2


def test_counts_are_those_of_the_format(tmp_path: Path) -> None:
    scene = write(tmp_path, [(frame(), [truth()])])
    info = json.loads((scene / "scene_gt_info.json").read_text())["0"][0]
    assert info == {"bbox_obj": [-30, 5, 50, 20], "bbox_visib": [10, 5, 10, 10], "px_count_all": 400,
                    "px_count_valid": 200, "px_count_visib": 100, "visib_fract": 0.25}


def test_what_is_hidden_has_the_formats_empty_box(tmp_path: Path) -> None:
    hidden = truth()
    hidden.mask_visib[:] = False
    scene = write(tmp_path, [(frame(), [hidden])])
    assert json.loads((scene / "scene_gt_info.json").read_text())["0"][0]["bbox_visib"] == [-1, -1, -1, -1]


def test_a_scene_is_not_seen_before_it_is_whole(tmp_path: Path) -> None:
    writer = SceneWriter(tmp_path / "train", 0)
    writer.add(0, frame(), [truth()])
    assert not list((tmp_path / "train").glob("[0-9]*"))
    assert writer.finish() == tmp_path / "train" / "000000"


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    SceneWriter(tmp_path / "train", 0).add(7, frame(), [])
    writer = SceneWriter(tmp_path / "train", 0)
    writer.add(0, frame(), [])
    writer.finish()
    assert [path.name for path in (tmp_path / "train" / "000000" / "rgb").iterdir()] == ["000000.jpg"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("a file")
    with pytest.raises(InputError, match=r"train: cannot be written"):
        SceneWriter(tmp_path / "train", 0)


@given(st.floats(0, 6.5))
def test_depth_is_kept_to_a_twentieth_of_a_millimetre(metres: float) -> None:
    assert abs(int(depth_to_png(np.full((1, 1), metres, np.float32))[0, 0]) * 1e-4 - metres) < 5.1e-5


def test_what_is_too_far_for_the_file_has_no_depth() -> None:
    assert not depth_to_png(np.array([[6.6, 50.0, 0.0]], np.float32)).any()
