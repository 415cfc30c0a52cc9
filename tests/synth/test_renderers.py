from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from posebot.core.errors import InputError
from posebot.core.objects import Mesh, ObjectModel
from posebot.core.transforms import make, rotation_from_vector
from posebot.objects.bop_models import make_object
from posebot.synth.assets import AssetLibrary
from posebot.synth.label_renderer import LabelRenderer
from posebot.synth.opengl import OpenGLContext
from posebot.synth.raster_renderer import RasterRenderer
from posebot.synth.scene import CameraEffects, Item, Light, Material, Scene
from tests.synth.scenes import box_item, rod_item, scene

SHARP = CameraEffects(blur_px=0.0, noise=0.0)


@pytest.fixture
def raster(label_renderer: LabelRenderer) -> RasterRenderer:
    return RasterRenderer(label_renderer.gl)


@pytest.fixture
def path(objects: Mapping[int, ObjectModel]):
    pytest.importorskip("mitsuba")
    from posebot.synth.path_tracer import PathTracer

    try:
        return PathTracer(AssetLibrary(objects), samples=16)
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def things() -> Scene:
    """A box and a rod in front of nothing (black), bright enough to stand out."""
    return replace(scene(box_item(make(rotation_from_vector([0.5, 0.4, 0.3]), [-0.08, 0.03, 0.6])),
                         rod_item(make(rotation_from_vector([1.2, 0.2, 0]), [0.1, -0.05, 0.5]))), camera_effects=SHARP)


def covered(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return picture.max(axis=2) > 12


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0


def middle(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean column and row."""
    return np.array([np.nonzero(mask)[1].mean(), np.nonzero(mask)[0].mean()])


def test_the_image_shows_what_its_labels_say(
    raster: RasterRenderer, label_renderer: LabelRenderer, things: Scene
) -> None:
    truths = label_renderer.render(things).ground_truths
    assert overlap(covered(raster.render(things)), truths[0].mask_visib | truths[1].mask_visib) > 0.98


def test_the_same_scene_gives_the_same_picture(raster: RasterRenderer, things: Scene) -> None:
    noisy = replace(things, camera_effects=CameraEffects(noise=0.02, noise_seed=5))
    assert np.array_equal(raster.render(noisy), raster.render(noisy))


def test_exposure_makes_it_brighter(raster: RasterRenderer, things: Scene) -> None:
    dark = replace(things, camera_effects=replace(SHARP, gains=(0.3, 0.3, 0.3)))
    assert raster.render(dark).mean() < 0.8 * raster.render(things).mean()


def dressed(things: Scene, **look: object) -> Scene:
    """The things with another look."""
    items = tuple(replace(item, material=replace(item.material, **look)) for item in things.items)  # type: ignore[arg-type]
    return replace(things, items=items)


@pytest.mark.parametrize("renderer", ["raster", "path"])
def test_saturation_takes_colours_farther_from_grey(request: pytest.FixtureRequest, things: Scene, renderer: str
                                                    ) -> None:
    draw = request.getfixturevalue(renderer).render
    red = dressed(things, color=(0.5, 0.3, 0.3))
    spread = []
    for factor in (0.0, 1.0, 2.0):
        picture = draw(dressed(red, saturation=factor)).astype(float)
        spread.append(np.ptp(picture[covered(draw(red))], axis=1).mean())
    assert spread[0] < spread[1] < spread[2]


@pytest.mark.parametrize("renderer", ["raster", "path"])
def test_wear_changes_lights_and_darks_but_no_outline(request: pytest.FixtureRequest, things: Scene, renderer: str
                                                      ) -> None:
    draw = request.getfixturevalue(renderer).render
    worn = dressed(things, texture="pattern/0", tiling=10.0, modulation=0.5)
    plain = draw(things)
    assert overlap(covered(draw(worn)), covered(plain)) > 0.97
    assert np.abs(draw(worn).astype(int) - plain).max() > 20


def test_more_samples_smooth_the_edges(label_renderer: LabelRenderer, things: Scene) -> None:
    hard, soft = (RasterRenderer(label_renderer.gl, samples).render(things) for samples in (0, 4))
    assert hard.shape == soft.shape == (120, 160, 3)
    assert np.abs(hard.astype(int) - soft).mean() < 4


def test_a_thing_casts_a_shadow(raster: RasterRenderer) -> None:
    facing = make(rotation_from_vector([np.pi, 0, 0]), [0, 0, 0.9])
    wall = Item("quad", facing, Material(roughness=1.0), scale=(4, 4, 1))
    lamp = (Light(np.array([0.0, -1.0, -0.3]), (1.0, 1.0, 1.0), 0.02),)
    made = replace(scene(wall, box_item(make(translation=[0, -0.05, 0.6]))), lights=lamp, camera_effects=SHARP)
    lit = raster.render(replace(made, items=(wall,))).astype(int).sum(axis=2)
    shaded = raster.render(made).astype(int).sum(axis=2)
    mask = LabelRenderer(raster.gl).render(made).ground_truths[0].mask_visib
    assert ((shaded < 0.8 * lit) & ~mask).sum() > 50


def test_hollows_are_darker_the_more_occlusion_there_is(gl: OpenGLContext) -> None:
    """Looking straight into a bowl: its bottom loses light, its rim does not, and nothing moves."""
    profile = [(0, 0), *((0.1, z) for z in np.linspace(0, 0.1, 9)), *((0.08, z) for z in np.linspace(0.1, 0.01, 9)),
               (0, 0.01)]
    shape = trimesh.creation.revolve(np.array(profile), sections=48)
    bowl = make_object(7, "bowl", Mesh(np.asarray(shape.vertices), np.asarray(shape.faces, np.int32)))
    renderer = RasterRenderer(OpenGLContext(AssetLibrary({7: bowl})))
    made = scene(Item("obj/7", make(rotation_from_vector([np.pi, 0, 0]), [0, 0, 0.5]), Material(roughness=0.9), 7))
    made = replace(made, lights=(), camera_effects=SHARP)
    backgrounds = [replace(made.background, ao_strength=strength) for strength in (0.0, 1.0, 2.0)]
    light, real, dark = (renderer.render(replace(made, background=background)).astype(int)
                         for background in backgrounds)
    row, column = 58, 81
    assert light[row, column].min() > real[row, column].max() > dark[row, column].max()
    assert np.array_equal(covered(light.astype(np.uint8)), covered(real.astype(np.uint8)))
    rim = np.abs(light - real).max(axis=2)[covered(light.astype(np.uint8))]
    assert np.percentile(rim, 10) <= 2 < np.percentile(rim, 90)


def test_path_and_raster_show_the_same_silhouettes(
    raster: RasterRenderer, path, label_renderer: LabelRenderer, things: Scene
) -> None:
    """To a fraction of a pixel, so that both fit the same labels."""
    large = replace(things, camera=things.camera.scaled(3.0))
    truths = label_renderer.render(large).ground_truths
    labelled = truths[0].mask_visib | truths[1].mask_visib
    for picture in (path.render(large), raster.render(large)):
        assert overlap(covered(picture), labelled) > 0.97
        for truth in truths:
            near = truth.mask_visib | (covered(picture) & grown(truth.mask_visib))
            assert np.abs(middle(covered(picture) & near) - middle(truth.mask_visib)).max() < 0.25


def test_path_and_raster_show_the_same_colours(
    raster: RasterRenderer, path, label_renderer: LabelRenderer, things: Scene
) -> None:
    traced, drawn = path.render(things), raster.render(things)
    for truth in label_renderer.render(things).ground_truths:
        a, b = (picture[truth.mask_visib].mean(axis=0) for picture in (traced, drawn))
        assert np.argmax(a) == np.argmax(b)
        assert 0.4 < a.sum() / b.sum() < 2.5


def test_path_gives_the_same_picture_again(path, things: Scene) -> None:
    first, again = path.render(things).astype(int), path.render(things).astype(int)
    assert np.abs(first - again).max() <= 1  # sums of many threads may differ in the last bit


def test_an_llvm_that_is_too_old_is_refused_before_it_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mitsuba")
    from posebot.synth import mitsuba_runtime

    monkeypatch.setattr(mitsuba_runtime, "find_llvm", lambda: None)
    monkeypatch.setattr(mitsuba_runtime, "_has_cuda", lambda: False)
    with pytest.raises(InputError, match="no LLVM 17 or newer"):
        mitsuba_runtime.load_mitsuba()
