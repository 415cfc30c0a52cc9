"""The meshes of a bundle, and what comes with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from posebot.objects.bop_models import load_objects, make_object
from posebot.training.assemble import write_models
from tests.objects.sample_meshes import box, printed_square
from tests.objects.test_texture_landmarks import picture, some


def test_a_print_comes_with_its_landmarks_and_a_plain_thing_without(tmp_path: Path) -> None:
    said = write_models(tmp_path, [make_object(1, "crate", box()), make_object(2, "card", printed_square(picture()))],
                        100)
    if said.startswith("no landmarks"):
        pytest.skip(said)
    assert said == "1 of 2 objects have a texture, 1 texture landmarks"
    found = load_objects(tmp_path)
    assert found[1].landmarks is None
    assert found[2].landmarks is not None and len(found[2].landmarks.points) >= 200
    assert found[2].mesh.texture is None
    assert found[2].mesh.colors is not None


def test_without_textures_nothing_is_drawn(tmp_path: Path) -> None:
    said = write_models(tmp_path, [make_object(1, "crate", box())], 100)
    assert said == "0 of 1 objects have a texture, 0 texture landmarks"


def test_an_object_of_another_bundle_keeps_its_landmarks(tmp_path: Path) -> None:
    write_models(tmp_path, [replace(make_object(1, "crate", box()), landmarks=some())], 100)
    found = load_objects(tmp_path)[1].landmarks
    assert found is not None and len(found.points) == len(some().points)
