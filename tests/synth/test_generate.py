from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posebot.core.camera import unproject
from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.transforms import inverse
from posebot.datasets.bop import BopDataset
from posebot.datasets.bop_writer import GroundTruth
from posebot.objects.bop_models import load_objects, save_objects
from posebot.synth import SynthConfig, generate
from posebot.synth.config import require_same
from posebot.synth.frame_renderer import FrameRenderer, load_assets
from posebot.synth.opengl import OpenGLContext

pytestmark = pytest.mark.usefixtures("gl")  # skips all where there is no OpenGL


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_data_set_is_written_and_can_be_read(config: SynthConfig) -> None:
    told: list[tuple[int, int]] = []
    result = generate(config, lambda done, total: told.append((done, total)))
    assert (result.frames, result.skipped) == (6, 0)
    assert told[0] == (0, 6)
    assert told[-1] == (6, 6)
    dataset = BopDataset(config.out, "train")
    assert [tuple(key) for key in dataset.keys()] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]  # noqa: SIM118
    assert sorted(dataset.objects) == [2, 5]
    record = json.loads((config.out / "dataset.json").read_text())
    assert record["splits"]["train"]["seed"] == 7


def test_distractors_of_all_folders_are_in_the_library(config: SynthConfig, models: Path) -> None:
    assert len(load_assets(config.replace(distractors=(models, models))).distractors) == 4
    assert load_assets(config).distractors == ()


def test_written_depth_masks_and_poses_agree(config: SynthConfig) -> None:
    generate(config)
    dataset, checked = BopDataset(config.out, "train"), 0
    for key in dataset.keys():  # noqa: SIM118
        frame = dataset.frame(key)
        assert frame.depth is not None
        for truth in dataset.annotations(key):
            seen, whole = dataset.mask_visib(key, truth.index), dataset.mask(key, truth.index)
            assert seen is not None and whole is not None
            assert not (seen & ~whole).any()
            points = unproject(frame.camera.K, frame.depth)[seen]
            if len(points):
                model = dataset.objects[truth.obj_id]
                pose = inverse(truth.cam_from_obj)
                inside = model.normalise(points @ pose[:3, :3].T + pose[:3, 3])
                assert np.abs(inside - 0.5).max() < 0.51
                checked += 1
    assert checked > 6


def test_the_same_seed_gives_the_same_files_whatever_the_workers(config: SynthConfig, tmp_path: Path) -> None:
    generate(config)
    generate(replace(config, out=tmp_path / "other", workers=2))
    assert contents(config.out / "train") == contents(tmp_path / "other" / "train")


def test_another_seed_gives_other_pictures(config: SynthConfig, tmp_path: Path) -> None:
    generate(replace(config, frames=1))
    generate(replace(config, frames=1, seed=8, out=tmp_path / "other"))
    picture = "train/000000/rgb/000000.jpg"
    assert (config.out / picture).read_bytes() != (tmp_path / "other" / picture).read_bytes()


def test_what_is_there_is_left_alone_and_more_is_added(config: SynthConfig) -> None:
    generate(replace(config, frames=4))
    before = contents(config.out / "train")
    times = {path: path.stat().st_mtime_ns for path in config.out.rglob("*.jpg")}
    assert generate(config).skipped == 4
    assert all(path.stat().st_mtime_ns == when for path, when in times.items())
    assert before.items() <= contents(config.out / "train").items()
    assert generate(config).frames == 0


def test_a_split_is_not_continued_with_other_settings(config: SynthConfig) -> None:
    generate(replace(config, frames=1))
    with pytest.raises(InputError, match=r"was started with seed = 7, not 8"):
        generate(replace(config, seed=8))
    generate(replace(config, seed=8, split="val", frames=1))
    assert set(json.loads((config.out / "dataset.json").read_text())["splits"]) == {"train", "val"}


def test_records_with_old_names_of_settings_are_still_read(config: SynthConfig, tmp_path: Path) -> None:
    current = replace(config, upright=0.5)
    record = {name: value for name, value in current.to_dict().items() if name not in ("upright", "required_objects")}
    require_same(tmp_path, {**record, "standing": 0.5, "focus": []}, current)
    with pytest.raises(InputError, match=r"was started with upright = 0.2, not 0.5"):
        require_same(tmp_path, {**record, "standing": 0.2, "focus": []}, current)


def test_a_killed_run_goes_on_to_the_same_files(config: SynthConfig, tmp_path: Path) -> None:
    cut = replace(config, out=tmp_path / "cut", per_scene=1, frames=40)
    code = ("from pathlib import Path; import numpy as np; from posebot.core.camera import Camera\n"
            "from posebot.synth import SynthConfig, generate\n"
            f"K = np.array({config.camera.K.tolist()})\n"
            f"generate(SynthConfig(Path({str(cut.objects)!r}), 40, Path({str(cut.out)!r}), per_scene=1, seed=7,\n"
            f"    workers=0, camera=Camera(K, {config.camera.width}, {config.camera.height})))\n")
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "LP_NUM_THREADS": "1"})
    try:
        deadline = time.monotonic() + 120
        while not (cut.out / "train" / "000002").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = len(list((cut.out / "train").glob("[0-9]*")))
    assert done >= 3
    few = replace(cut, frames=done + 2)
    result = generate(few)
    assert (result.skipped, result.frames) == (done, 2)
    whole = replace(few, out=tmp_path / "whole")
    generate(whole)
    left = contents(cut.out / "train")
    assert {name: data for name, data in left.items() if not name.startswith(".")} == contents(whole.out / "train")


@pytest.mark.parametrize(("changes", "said"), [
    ({"frames": 0}, "frames"), ({"seed": -1}, "seed"), ({"mix": 1.5}, "mix"), ({"distance": (0.9, 0.4)}, "distance"),
    ({"jitter": 2.0}, "jitter"), ({"renderer": "magic"}, "renderer"), ({"workers": -1}, "workers"),
])
def test_settings_that_make_no_sense_are_refused(config: SynthConfig, changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(config, **changes)


def test_models_photographs_and_records_are_checked(config: SynthConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        generate(replace(config, objects=tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="contains no image"):
        generate(replace(config, backgrounds=tmp_path / "empty"))
    config.out.mkdir(exist_ok=True)
    (config.out / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="is not a valid record"):
        generate(config)


def test_a_workers_error_reaches_the_caller(config: SynthConfig, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="is not a readable image"):
        generate(replace(config, backgrounds=tmp_path / "photos", workers=2, frames=20, per_scene=10))


def test_depth_noise_changes_depth_and_nothing_else(config: SynthConfig, tmp_path: Path, gl: OpenGLContext) -> None:
    noisy = replace(config, frames=1, depth_noise=True, out=tmp_path / "noisy")
    generate(replace(config, frames=1))
    generate(noisy)
    exact, read = contents(config.out / "train"), contents(noisy.out / "train")
    changed = {name for name in exact if exact[name] != read[name]}
    assert changed == {"000000/depth/000000.png", "000000/scene_gt_info.json"}


def test_scenes_scale_with_the_objects(config: SynthConfig, models: Path) -> None:
    """The same scene in twice the size: the same image, depth and positions twice as large."""
    one, other = (load_frame(each) for each in (config, config.replace(
        objects=doubled(models, config.out.parent / "doubled"), scale=2 * config.scale,
        distance=(2 * config.distance[0], 2 * config.distance[1]))))
    np.testing.assert_array_equal(one[0].rgb, other[0].rgb)
    np.testing.assert_allclose(other[0].depth, 2 * one[0].depth, rtol=1e-5)
    assert len(one[1]) > 0
    for first, second in zip(one[1], other[1], strict=True):
        np.testing.assert_allclose(second.cam_from_obj[:3, 3], 2 * first.cam_from_obj[:3, 3], rtol=1e-6)
        np.testing.assert_allclose(second.cam_from_obj[:3, :3], first.cam_from_obj[:3, :3], atol=1e-9)


def load_frame(config: SynthConfig) -> tuple[Frame, list[GroundTruth]]:
    return FrameRenderer(config).frame(1)


def doubled(models: Path, out: Path) -> Path:
    objects = load_objects(models)
    save_objects(out, {number: replace(model, mesh=replace(model.mesh, vertices=2 * model.mesh.vertices),
                                       diameter=2 * model.diameter) for number, model in objects.items()})
    return out


def test_a_split_of_an_earlier_version_is_continued_with_its_own_scale_only(config: SynthConfig) -> None:
    before = config.to_dict()
    del before["scale"]
    require_same(config.out, before, config)
    with pytest.raises(InputError, match="was started with scale = 1"):
        require_same(config.out, before, config.replace(scale=0.3))
