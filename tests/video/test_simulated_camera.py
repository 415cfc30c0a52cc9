from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.transforms import apply, inverse, is_transform, rotation_angle
from posebot.objects.bop_models import make_object
from posebot.video.camera_trajectory import CameraTrajectory
from posebot.video.kinds.base import CameraContext
from posebot.video.kinds.sim import SimCamera
from posebot.video.simulated_camera import BASE_FROM_WORLD, SimulatedCamera, SimulatedSource
from posebot.video.source import CapturedFrame
from tests.video.plumbing import brick

pytest.importorskip("moderngl", reason="the simulated camera needs the synth extra")
OBJECTS = {1: make_object(1, "brick", brick())}


@pytest.fixture(scope="module")
def camera() -> Iterator[SimulatedCamera]:
    camera = SimulatedCamera(OBJECTS, seed=3)
    yield camera
    camera.close()


@given(seed=st.integers(0, 10**6), seconds=st.floats(0, 1e4))
def test_the_hand_moves_smoothly_and_looks_at_the_table(seed: int, seconds: float) -> None:
    path = CameraTrajectory(seed)
    here, soon = path.world_from_cam(seconds), path.world_from_cam(seconds + 0.1)
    assert is_transform(here, tolerance=1e-9)
    assert np.linalg.norm(here[:3, 3] - soon[:3, 3]) < 0.03
    assert rotation_angle(here[:3, :3], soon[:3, :3]) < np.deg2rad(6)
    assert 0.3 < here[2, 3] < 0.8
    middle = apply(inverse(here), [[0, 0, 0.03]])[0]
    assert middle[2] > 0.4
    assert np.abs(middle[:2] / middle[2]).max() < 0.4  # well inside a image of 27 degrees to either side


def test_a_hand_without_speed_rests() -> None:
    path = CameraTrajectory(1, speed=0)
    assert np.array_equal(path.world_from_cam(0), path.world_from_cam(50))


def test_a_frame_is_what_a_wrist_camera_gives(camera: SimulatedCamera) -> None:
    frame = camera.frame(0)
    assert frame.rgb.shape == (480, 640, 3)
    assert frame.frame_id == "wrist/0"
    assert frame.depth is not None
    assert frame.base_from_cam is not None
    assert 0.005 < (frame.depth == 0).mean() < 0.5  # a depth camera has holes
    assert frame.captured_at > 0


def test_depth_agrees_with_the_truth(camera: SimulatedCamera) -> None:
    frame = camera.frame(5)
    (truth,) = camera.ground_truth(frame.frame_id)
    assert truth.obj_id == 1
    assert truth.visib_fract > 0.5
    assert frame.base_from_cam is not None
    assert frame.depth is not None
    cam_from_obj = inverse(frame.base_from_cam) @ truth.base_from_obj
    u, v = np.rint(frame.camera.project(cam_from_obj[:3, 3])).astype(int)
    around = frame.depth[v - 3:v + 4, u - 3:u + 4]
    surface = np.median(around[around > 0])
    assert cam_from_obj[2, 3] - 0.09 < surface < cam_from_obj[2, 3]  # the surface lies before the middle


def test_objects_lie_on_the_table(camera: SimulatedCamera) -> None:
    camera.frame(0)
    (truth,) = camera.ground_truth("wrist/0")
    lowest = apply(inverse(BASE_FROM_WORLD) @ truth.base_from_obj, brick().vertices)[:, 2].min()
    assert abs(lowest) < 0.005


def test_a_frame_does_not_depend_on_those_before_it(camera: SimulatedCamera) -> None:
    frame = camera.frame(4)
    other = SimulatedCamera(OBJECTS, seed=3)
    again = other.frame(4)
    other.close()
    assert np.array_equal(frame.rgb, again.rgb)
    assert frame.depth is not None
    assert again.depth is not None
    assert np.array_equal(frame.depth, again.depth)


def test_other_seeds_give_other_scenes(camera: SimulatedCamera) -> None:
    other = SimulatedCamera(OBJECTS, seed=4, depth=False)
    frame, _ = other.frame(0), camera.frame(0)
    other.close()
    assert frame.depth is None
    assert not np.allclose(other.ground_truth("wrist/0")[0].base_from_obj,
                           camera.ground_truth("wrist/0")[0].base_from_obj)


def test_frames_are_counted(camera: SimulatedCamera) -> None:
    assert [frame.frame_id for frame in camera.frames(3)] == ["wrist/0", "wrist/1", "wrist/2"]
    assert camera.ground_truth("wrist/999") == []


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_small_and_large_objects_are_seen_as_large_as_those_of_the_kits_size(factor: float) -> None:
    sizes = []
    for scale in (1.0, factor):
        mesh = replace(brick(), vertices=brick().vertices * scale)
        camera = SimulatedCamera({1: make_object(1, "brick", mesh)}, seed=3, depth=False)
        pose = inverse(camera.base_from_cam(0)) @ camera.ground_truth_at(0)[0].base_from_obj
        camera.close()
        sizes.append((pose[:3, :3], pose[:3, 3] / scale))
    (rotation, position), (other_rotation, other_position) = sizes
    assert np.allclose(rotation, other_rotation, atol=0.05)  # the scale is rounded
    assert np.allclose(position, other_position, rtol=0.04)


def test_objects_of_a_bundle_beside_the_configuration(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    source = SimCamera(bundle=tiny_bundle.name).open(CameraContext("wrist", tiny_bundle.parent))
    assert isinstance(source, SimulatedSource)
    assert [model.label for model in source.camera.objects.values()] == ["box"]


def test_a_live_simulation_passes_over_what_nobody_looked_at() -> None:
    source = SimulatedSource(SimulatedCamera(OBJECTS, seed=3, fps=50.0, depth=False))
    shots = []
    for shot in source.frames():
        assert isinstance(shot, CapturedFrame)
        shots.append(shot)
        if len(shots) == 3:
            break
        time.sleep(0.2)
    source.close()
    numbers = [int(shot.frame.frame_id.split("/")[1]) for shot in shots]
    assert numbers[0] == 0
    assert [shot.dropped for shot in shots] == [0, numbers[1] - 1, numbers[2] - numbers[1] - 1]
    assert shots[1].dropped >= 8
