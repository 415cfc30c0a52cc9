"""What sees the surroundings is open; what lies in a hollow, or inside, is not."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from posebot.core.objects import Mesh
from posebot.core.transforms import rotation_from_vector
from posebot.synth.ambient_occlusion import bake_ambient_occlusion

OUTER, WALL, HEIGHT = 0.05, 0.005, 0.1


def mesh(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces, np.int32))


def cup() -> Mesh:
    """A cup that is open at the top (z = HEIGHT), its wall in rings."""
    profile = [(0, 0), *((OUTER, z) for z in np.linspace(0, HEIGHT, 9)),
               *((OUTER - WALL, z) for z in np.linspace(HEIGHT, WALL, 9)), (0, WALL)]
    shape = trimesh.creation.revolve(np.array(profile), sections=32)
    assert shape.is_watertight and shape.volume > 0
    return mesh(shape)


@pytest.mark.parametrize("shape", [trimesh.creation.box((0.1, 0.2, 0.05)), trimesh.creation.icosphere(3, 0.04)])
def test_convex_shapes_are_open_outside_and_closed_inside(shape: trimesh.Trimesh) -> None:
    found = bake_ambient_occlusion(mesh(shape))
    assert found.shape == (len(shape.vertices), 2) and found.dtype == np.float32
    assert found[:, 0].min() > 0.9
    assert found[:, 1].max() < 0.35  # a corner of a box lies a cell from three walls


def test_a_cup_is_darker_the_deeper_one_looks_into_it() -> None:
    body = cup()
    radius, z = np.linalg.norm(body.vertices[:, :2], axis=1), body.vertices[:, 2]
    found = bake_ambient_occlusion(body)[:, 0]
    inner = np.abs(radius - (OUTER - WALL)) < 1e-6
    high, low = found[inner & (z > 0.8 * HEIGHT) & (z < HEIGHT)], found[inner & (z < 0.3 * HEIGHT) & (z > 2 * WALL)]
    assert low.mean() < 0.3 < high.mean()
    assert found[np.isclose(radius, OUTER) & (z > 0.1 * HEIGHT) & (z < 0.9 * HEIGHT)].min() > 0.85
    bottom = found[(radius < 1e-6) & np.isclose(z, WALL)]
    # seen from its middle the rim is a cone: the share of the hemisphere by cosine is sin^2 of its half angle
    share = (OUTER - WALL) ** 2 / ((OUTER - WALL) ** 2 + (HEIGHT - WALL) ** 2)
    assert np.abs(bottom - share).max() < 0.12


@pytest.mark.parametrize("turn", [(0.7, 0.2, -0.4), (-1.5, 2.0, 0.3)])
def test_turning_or_scaling_a_mesh_changes_little(turn: tuple[float, float, float]) -> None:
    body = cup()
    moved = Mesh(3 * body.vertices @ rotation_from_vector(turn).T + [0.4, -2.0, 1.0], body.faces)
    assert np.abs(bake_ambient_occlusion(moved) - bake_ambient_occlusion(body))[:, 0].mean() < 0.04


def test_a_mesh_that_is_inside_out_has_its_sides_changed() -> None:
    body = cup()
    turned = bake_ambient_occlusion(Mesh(body.vertices, body.faces[:, ::-1]))
    assert np.abs(turned[:, 1] - bake_ambient_occlusion(body)[:, 0]).mean() < 0.04
