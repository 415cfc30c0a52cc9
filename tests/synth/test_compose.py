from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from posebot.core.objects import ObjectModel
from posebot.core.transforms import apply, is_transform
from posebot.objects.materials import SurfaceMaterial
from posebot.synth.compose import VIEWS, Composer
from posebot.synth.config import SynthConfig
from posebot.synth.labels import Labeller
from posebot.synth.library import Library
from posebot.synth.scene import Scene
from posebot.synth.table import table_scene

FRAMES = range(4 * VIEWS)


@pytest.fixture
def composer(config: SynthConfig, objects: Mapping[int, ObjectModel]) -> Composer:
    return Composer(config, Library(objects))


def on_table(scene: Scene) -> bool:
    return any(item.shape == "quad" and np.allclose(item.world_from_item[:3, 3], 0) for item in scene.items)


def same(a: Scene, b: Scene) -> bool:
    return (np.array_equal(a.camera.K, b.camera.K) and np.array_equal(a.world_from_cam, b.world_from_cam)
            and (a.backdrop, a.optics) == (b.backdrop, b.optics)
            and [(i.shape, i.material, i.scale) for i in a.items] == [(i.shape, i.material, i.scale) for i in b.items]
            and np.array_equal([i.world_from_item for i in a.items], [i.world_from_item for i in b.items]))


def test_a_scene_follows_from_its_number_alone(config: SynthConfig, objects: Mapping[int, ObjectModel]) -> None:
    first, second = (Composer(config, Library(objects)) for _ in range(2))
    forth = [first.scene(index) for index in (0, 1, 7, 13)]
    back = [second.scene(index) for index in (13, 7, 1, 0)][::-1]
    for a, b in zip(forth, back, strict=True):
        assert same(a, b)


def test_other_seeds_and_numbers_give_other_scenes(composer: Composer, config: SynthConfig) -> None:
    other = Composer(replace(config, seed=8), composer.library)
    assert not same(composer.scene(3), other.scene(3))
    assert not same(composer.scene(3), composer.scene(4))


def test_there_are_drops_and_flights_of_sound_poses(composer: Composer) -> None:
    scenes = [composer.scene(index) for index in FRAMES]
    assert 0 < sum(on_table(scene) for scene in scenes) < len(scenes)
    for scene in scenes:
        assert is_transform(scene.world_from_cam, 1e-6)
        assert all(is_transform(item.world_from_item, 1e-6) for item in scene.items)
        assert all(item.obj_id in (0, 2, 5) for item in scene.items)


def test_nothing_that_fell_is_in_the_table(composer: Composer) -> None:
    for index in FRAMES:
        scene = composer.scene(index)
        if on_table(scene):
            for item in scene.targets:
                points = apply(item.world_from_item, composer.library.mesh(item.shape).vertices)
                assert points[:, 2].min() > -1e-6
            assert scene.world_from_cam[2, 3] > 0


def test_views_of_one_drop_show_the_same_arrangement_in_other_looks(composer: Composer) -> None:
    groups = [[composer.scene(group * VIEWS + view) for view in (0, 1)] for group in range(4)]
    a, b = next(pair for pair in groups if on_table(pair[0]))
    for one, other in zip(a.targets, b.targets, strict=True):
        assert np.array_equal(one.world_from_item, other.world_from_item)
    assert a.lights[0].color != b.lights[0].color
    assert a.backdrop != b.backdrop


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_so_many_objects_stand_as_are_to(config: SynthConfig, objects: Mapping[int, ObjectModel], share: float) -> None:
    composer = Composer(replace(config, standing=share), Library(objects))
    upright = [item.world_from_item[2, 2] > 0.9 for index in range(60) for item in composer.scene(index).targets]
    assert np.mean(upright) == pytest.approx(share, abs=0.12) if share else np.mean(upright) < 0.6


def test_most_targets_are_in_the_picture_and_many_partly_hidden(composer: Composer, labeller: Labeller) -> None:
    labeller.gl.library = composer.library
    shares = []
    for index in FRAMES:
        truths = labeller.labels(composer.scene(index)).truths
        shares += [truth.mask_visib.sum() / max(truth.px_count_all, 1) for truth in truths]
    assert np.mean(np.array(shares) > 0.1) > 0.5
    assert np.mean((np.array(shares) > 0.05) & (np.array(shares) < 0.9)) > 0.1


def test_the_camera_stays_within_its_jitter(composer: Composer, config: SynthConfig) -> None:
    cameras = [composer.scene(index).camera for index in FRAMES]
    zoom = np.array([camera.K[0, 0] for camera in cameras]) / config.camera.K[0, 0]
    assert (np.abs(np.log(zoom)) <= config.jitter + 1e-9).all()
    assert np.ptp(zoom) > 0.5 * config.jitter
    still = Composer(replace(config, jitter=0.0), composer.library)
    assert np.array_equal(still.scene(0).camera.K, config.camera.K)


def test_distances_are_those_asked_for(config: SynthConfig, objects: Mapping[int, ObjectModel]) -> None:
    near = Composer(replace(config, distance=(0.5, 0.6)), Library(objects))
    eyes = [near.scene(index) for index in FRAMES]
    ranges = [np.linalg.norm(s.world_from_cam[:3, 3] - t.world_from_item[:3, 3]) for s in eyes for t in s.targets]
    assert 0.4 < np.median(ranges) < 0.8


def test_a_known_surface_is_kept(config: SynthConfig, objects: Mapping[int, ObjectModel]) -> None:
    shiny = Composer(config, Library(objects), {2: SurfaceMaterial(0.1, 1.0)})
    looks = [item.material for index in range(6) for item in shiny.scene(index).targets if item.obj_id == 2]
    assert looks
    assert all(look.metallic == 1.0 for look in looks)
    assert np.median([look.roughness for look in looks]) < 0.5


def test_a_table_scene_holds_each_object_once(objects: Mapping[int, ObjectModel]) -> None:
    first, again = table_scene(objects, seed=3), table_scene(objects, seed=3)
    assert sorted(item.obj_id for item in first.targets) == [2, 5]
    assert same(first, again)
    assert not same(first, table_scene(objects, seed=4))


def test_many_scenes_are_untidy_and_what_lies_about_is_not_labelled(composer: Composer) -> None:
    scenes = [composer.scene(index) for index in FRAMES]
    flat = [sum(item.shape == "quad" for item in scene.items) for scene in scenes if on_table(scene)]
    assert max(flat) > 4  # papers, beside table and walls
    assert max(len(scene.items) for scene in scenes) > 25
    for scene in scenes:
        eye = scene.world_from_cam[:3, 3]
        near = [np.linalg.norm(item.world_from_item[:3, 3] - eye) for item in scene.items if item.shape != "quad"]
        assert min(near) > 0.1  # nothing covers the lens
