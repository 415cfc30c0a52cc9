"""Two small objects, a small camera, and one OpenGL context for all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import trimesh

from posebot.core.errors import InputError
from posebot.core.objects import Mesh, ObjectModel
from posebot.objects.bop_models import make_object, save_objects
from posebot.synth.assets import AssetLibrary
from posebot.synth.config import SynthConfig
from posebot.synth.label_renderer import LabelRenderer
from posebot.synth.opengl import OpenGLContext
from tests.synth.scenes import BOX, CAMERA, ROD


def colored(shape: trimesh.Trimesh, color: tuple[int, int, int]) -> Mesh:
    vertices = np.asarray(shape.vertices)
    return Mesh(vertices, np.asarray(shape.faces, np.int32), np.tile(np.array(color, np.uint8), (len(vertices), 1)))


@pytest.fixture(scope="session")
def objects() -> Mapping[int, ObjectModel]:
    """A box and a cylinder."""
    return {2: make_object(2, "box", colored(trimesh.creation.box(BOX), (200, 60, 40))),
            5: make_object(5, "rod", colored(trimesh.creation.cylinder(*ROD, sections=24), (40, 90, 200)))}


@pytest.fixture(scope="session")
def models(objects: Mapping[int, ObjectModel], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The objects as a BOP models folder."""
    folder = tmp_path_factory.mktemp("models")
    save_objects(folder, objects)
    return folder


@pytest.fixture
def config(models: Path, tmp_path: Path) -> SynthConfig:
    """Six tiny frames in two scene folders, made in this process."""
    return SynthConfig(models, 6, tmp_path / "data", camera=CAMERA, per_scene=4, seed=7, workers=0)


@pytest.fixture(scope="session")
def gl(objects: Mapping[int, ObjectModel]) -> OpenGLContext:
    try:
        return OpenGLContext(AssetLibrary(objects))
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def label_renderer(gl: OpenGLContext) -> LabelRenderer:
    gl.context.__enter__()  # another test may have made a context of its own since
    return LabelRenderer(gl)
