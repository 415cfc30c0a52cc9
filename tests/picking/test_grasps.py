from __future__ import annotations

import numpy as np
import pytest

from posebot.core.transforms import apply, inverse, is_transform, make, rotation_from_vector
from posebot.objects.kit import build_kit
from posebot.picking.collision_geometry import collision_geoms_xml
from posebot.picking.grasp_execution import plan_grasp
from posebot.picking.grasps import kit_grasps
from posebot.picking.simulation import MAX_OPENING, PickSimulation, PlacedObject
from posebot.synth.physics import Body, drop_bodies


@pytest.fixture(scope="module")
def kit():
    pytest.importorskip("mujoco")
    return build_kit()


def test_grasps_are_rigid_and_end_in_the_object(kit):
    for number, grasps in kit_grasps(kit).items():
        model = kit[number]
        for grasp in grasps:
            assert is_transform(grasp.obj_from_gripper, 1e-9)
            assert 0 < grasp.width < MAX_OPENING
            tips = grasp.obj_from_gripper[:3, 3]
            assert ((tips >= model.box_min - 1e-6) & (tips <= model.box_min + model.extents + 1e-6)).all(), model.label


def test_fingers_as_wide_as_the_object_says_enclose_it(kit):
    """No vertex near the pads lies farther out than half the width, on the side of the gripper's palm."""
    for number, grasps in kit_grasps(kit).items():
        for grasp in grasps:
            points = apply(inverse(grasp.obj_from_gripper), kit[number].mesh.vertices)
            near = points[(np.abs(points[:, 1]) < 0.008) & (points[:, 2] > -0.012) & (points[:, 2] < 0)]
            if len(near) and np.abs(near[:, 0]).max() < 0.6 * grasp.width:  # else another part of the object
                assert np.abs(near[:, 0]).max() <= grasp.width / 2 + 0.002, kit[number].label


def test_parts_fill_the_bounding_box_of_each_object(kit):
    import mujoco

    for number, model in kit.items():
        geoms = collision_geoms_xml(kit, number, 'mass="1"')
        xml = f"<mujoco><worldbody><body>{geoms}</body></worldbody></mujoco>"
        made = mujoco.MjModel.from_xml_string(xml)
        data = mujoco.MjData(made)
        mujoco.mj_forward(made, data)
        for axis in range(3):
            for sign in (-1, 1):
                goal = (model.box_min + (sign > 0) * model.extents)[axis]
                start = model.center + 0.0
                start[axis] = goal + sign * 0.001
                reach = max(sign * (data.geom_xpos[g][axis]) + made.geom_rbound[g] for g in range(made.ngeom))
                assert reach > sign * goal - 0.02, (model.label, axis, sign)


def test_whatever_side_an_object_lies_on_there_is_a_grasp_from_above(kit):
    grasps, rng, found, tried = kit_grasps(kit), np.random.default_rng(3), 0, 0
    for number, model in kit.items():
        for _ in range(4):
            start = make(rotation_from_vector(rng.normal(scale=2, size=3)))
            vertices = apply(start, model.mesh.vertices)
            (pose,) = drop_bodies([Body(vertices)], rng, 0.3)
            if pose is None:
                continue
            lying = pose @ start
            simulation = PickSimulation([PlacedObject(number, lying, model.mesh.vertices)], kit)
            found += plan_grasp(simulation, 0, lying, grasps[number], 0.02) is not None
            tried += 1
    assert tried >= 28
    assert found >= 0.95 * tried
