from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from posebot.core.objects import ObjectModel
from posebot.core.transforms import apply, is_transform
from posebot.objects.materials import SurfaceMaterial
from posebot.synth.assets import AssetLibrary
from posebot.synth.config import SynthConfig
from posebot.synth.label_renderer import LabelRenderer
from posebot.synth.scene import Scene
from posebot.synth.scene_sampler import VIEWS, SceneSampler
from posebot.synth.tabletop import tabletop_scene

FRAMES = range(4 * VIEWS)


@pytest.fixture
def sampler(config: SynthConfig, objects: Mapping[int, ObjectModel]) -> SceneSampler:
    return SceneSampler(config, AssetLibrary(objects))


def on_table(scene: Scene) -> bool:
    return any(item.shape == "quad" and np.allclose(item.world_from_item[:3, 3], 0) for item in scene.items)


def same(a: Scene, b: Scene) -> bool:
    return (np.array_equal(a.camera.K, b.camera.K) and np.array_equal(a.world_from_cam, b.world_from_cam)
            and (a.background, a.camera_effects) == (b.background, b.camera_effects)
            and [(i.shape, i.material, i.scale) for i in a.items] == [(i.shape, i.material, i.scale) for i in b.items]
            and np.array_equal([i.world_from_item for i in a.items], [i.world_from_item for i in b.items]))


def test_a_scene_follows_from_its_number_alone(config: SynthConfig, objects: Mapping[int, ObjectModel]) -> None:
    first, second = (SceneSampler(config, AssetLibrary(objects)) for _ in range(2))
    forth = [first.scene(index) for index in (0, 1, 7, 13)]
    back = [second.scene(index) for index in (13, 7, 1, 0)][::-1]
    for a, b in zip(forth, back, strict=True):
        assert same(a, b)


def test_other_seeds_and_numbers_give_other_scenes(sampler: SceneSampler, config: SynthConfig) -> None:
    other = SceneSampler(replace(config, seed=8), sampler.library)
    assert not same(sampler.scene(3), other.scene(3))
    assert not same(sampler.scene(3), sampler.scene(4))


def test_there_are_drops_and_flights_of_sound_poses(sampler: SceneSampler) -> None:
    scenes = [sampler.scene(index) for index in FRAMES]
    assert 0 < sum(on_table(scene) for scene in scenes) < len(scenes)
    for scene in scenes:
        assert is_transform(scene.world_from_cam, 1e-6)
        assert all(is_transform(item.world_from_item, 1e-6) for item in scene.items)
        assert all(item.obj_id in (0, 2, 5) for item in scene.items)


def test_nothing_that_fell_is_in_the_table(sampler: SceneSampler) -> None:
    for index in FRAMES:
        scene = sampler.scene(index)
        if on_table(scene):
            for item in scene.targets:
                points = apply(item.world_from_item, sampler.library.mesh(item.shape).vertices)
                assert points[:, 2].min() > -1e-6
            assert scene.world_from_cam[2, 3] > 0


def test_views_of_one_drop_show_the_same_arrangement_in_other_looks(sampler: SceneSampler) -> None:
    groups = [[sampler.scene(group * VIEWS + view) for view in (0, 1)] for group in range(4)]
    a, b = next(pair for pair in groups if on_table(pair[0]))
    for one, other in zip(a.targets, b.targets, strict=True):
        assert np.array_equal(one.world_from_item, other.world_from_item)
    assert a.lights[0].color != b.lights[0].color
    assert a.background != b.background


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_so_many_objects_stand_as_are_to(config: SynthConfig, objects: Mapping[int, ObjectModel], share: float) -> None:
    sampler = SceneSampler(replace(config, upright=share), AssetLibrary(objects))
    upright = [item.world_from_item[2, 2] > 0.9 for index in range(60) for item in sampler.scene(index).targets]
    assert np.mean(upright) == pytest.approx(share, abs=0.12) if share else np.mean(upright) < 0.6


def test_most_targets_are_in_the_image_and_many_partly_occluded(
    sampler: SceneSampler, label_renderer: LabelRenderer
) -> None:
    label_renderer.gl.library = sampler.library
    shares = []
    for index in FRAMES:
        truths = label_renderer.render(sampler.scene(index)).ground_truths
        shares += [truth.mask_visib.sum() / max(truth.px_count_all, 1) for truth in truths]
    assert np.mean(np.array(shares) > 0.1) > 0.5
    assert np.mean((np.array(shares) > 0.05) & (np.array(shares) < 0.9)) > 0.1


def test_the_camera_stays_within_its_jitter(sampler: SceneSampler, config: SynthConfig) -> None:
    cameras = [sampler.scene(index).camera for index in FRAMES]
    zoom = np.array([camera.K[0, 0] for camera in cameras]) / config.camera.K[0, 0]
    assert (np.abs(np.log(zoom)) <= config.jitter + 1e-9).all()
    assert np.ptp(zoom) > 0.5 * config.jitter
    still = SceneSampler(replace(config, jitter=0.0), sampler.library)
    assert np.array_equal(still.scene(0).camera.K, config.camera.K)


def test_distances_are_those_asked_for(config: SynthConfig, objects: Mapping[int, ObjectModel]) -> None:
    near = SceneSampler(replace(config, distance=(0.5, 0.6)), AssetLibrary(objects))
    eyes = [near.scene(index) for index in FRAMES]
    ranges = [np.linalg.norm(s.world_from_cam[:3, 3] - t.world_from_item[:3, 3]) for s in eyes for t in s.targets]
    assert 0.4 < np.median(ranges) < 0.8


def test_a_known_surface_is_kept(config: SynthConfig, objects: Mapping[int, ObjectModel]) -> None:
    shiny = SceneSampler(config, AssetLibrary(objects), {2: SurfaceMaterial(0.1, 1.0)})
    looks = [item.material for index in range(6) for item in shiny.scene(index).targets if item.obj_id == 2]
    assert looks
    assert all(look.metallic == 1.0 for look in looks)
    assert np.median([look.roughness for look in looks]) < 0.5


def test_a_table_scene_holds_each_object_once(objects: Mapping[int, ObjectModel]) -> None:
    first, again = tabletop_scene(objects, seed=3), tabletop_scene(objects, seed=3)
    assert sorted(item.obj_id for item in first.targets) == [2, 5]
    assert same(first, again)
    assert not same(first, tabletop_scene(objects, seed=4))


def test_many_scenes_are_untidy_and_what_lies_about_is_not_labelled(sampler: SceneSampler) -> None:
    scenes = [sampler.scene(index) for index in FRAMES]
    flat = [sum(item.shape == "quad" for item in scene.items) for scene in scenes if on_table(scene)]
    assert max(flat) > 4  # papers, beside table and walls
    assert max(len(scene.items) for scene in scenes) > 25
    for scene in scenes:
        eye = scene.world_from_cam[:3, 3]
        near = [np.linalg.norm(item.world_from_item[:3, 3] - eye) for item in scene.items if item.shape != "quad"]
        assert min(near) > 0.1  # nothing covers the lens
