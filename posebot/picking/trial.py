"""Picks over many scenes: what a wrist camera's fused views are worth to a gripper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array, inverse
from posebot.models.bundle import Bundle
from posebot.picking.attempt import Outcome, Plan, Watch, pick, plan
from posebot.picking.grasps import Grasp, kit_grasps
from posebot.picking.world import Thing, World
from posebot.stages.fuse import Fuser
from posebot.stages.pipeline import Pipeline
from posebot.synth.assets import AssetLibrary
from posebot.synth.scene import Scene

Sense = Literal["rgbd", "rgb", "truth"]
CLEARANCE_MM = 10.0  # room beside the object on each side that the gripper comes with
_HOPELESS = 0.15  # metres: a gripper that closes so far away from an object cannot hold it


class WristCamera(Protocol):
    """What `video.simulated_camera.SimulatedCamera` offers, so that picking need not know it."""

    seed: int

    @property
    def scene(self) -> Scene: ...

    @property
    def objects(self) -> Mapping[int, ObjectModel]: ...

    def frame(self, index: int) -> Frame: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Options:
    """views: after how many of them to try. clearances_mm: room on each side; all are tried after `sweep_views` views,
    else `CLEARANCE_MM` alone."""

    senses: tuple[Sense, ...] = ("rgbd", "rgb")
    views: tuple[int, ...] = (1, 2, 4, 8)
    clearances_mm: tuple[float, ...] = (5.0, CLEARANCE_MM, 20.0)
    sweep_views: int = 4


@dataclass(frozen=True)
class Attempt:
    """One pick. sense "truth": at the true pose, views 0. status: of the estimate. outcome: also "not found"."""

    scene: int
    label: str
    sense: Sense
    views: int
    clearance_mm: float
    status: str
    outcome: Outcome | Literal["not found"]


def run(bundle: Bundle, camera_of: Callable[[int], WristCamera], base_from_world: Array, seeds: Sequence[int],
        options: Options, filmed: Callable[[World, WristCamera], Watch] | None = None) -> Iterator[Attempt]:
    """All attempts, scene by scene.

    Args:
        camera_of: the wrist camera over the scene of a seed, with the kit on its table. base_from_world: 4x4, of its
            scenes. filmed: makes the watcher of the first pick that holds.
    Raises:
        InputError: the bundle knows objects for which there are no grasps.
    """
    if unknown := [model.label for model in bundle.objects if model.obj_id not in kit_grasps_of(bundle)]:
        raise InputError("--picks", f"no grasps are known for {', '.join(unknown)}", "the bundle `kit` or one of its "
                         "objects")
    pipelines: dict[Sense, Pipeline] = {sense: Pipeline(bundle, depth=sense == "rgbd", fuse=False)
                                        for sense in options.senses}
    for seed in seeds:
        camera = camera_of(seed)
        table = Table(camera, base_from_world)
        yield from table.at_truth(options.clearances_mm)
        if filmed is not None:
            table.film(filmed(table.world, camera))
            filmed = None
        fusers = {sense: Fuser(bundle.objects) for sense in options.senses}
        for index in range(max(options.views)):
            frame = camera.frame(index)
            for sense, pipeline in pipelines.items():
                fusers[sense](frame, pipeline(frame).estimates)
                if index + 1 in options.views:
                    mode = bundle.manifest.calibration.depth if sense == "rgbd" else bundle.manifest.calibration.rgb
                    clearances = options.clearances_mm if index + 1 == options.sweep_views else (CLEARANCE_MM,)
                    yield from table.at_estimates(fusers[sense].map(mode), sense, index + 1, clearances)
        camera.close()


def kit_grasps_of(bundle: Bundle) -> dict[int, list[Grasp]]:
    """The kit's grasps for those of a bundle's objects that are the kit's, by number and label."""
    from posebot.objects.kit import build_kit

    kit = build_kit()
    return kit_grasps({model.obj_id: kit[model.obj_id] for model in bundle.objects
                       if model.obj_id in kit and kit[model.obj_id].label == model.label})


class Table:
    """One scene in physics, and those of its objects that can be picked at all: at the true pose a grasp is free."""

    def __init__(self, camera: WristCamera, base_from_world: Array) -> None:
        self.scene, self.objects = camera.seed, camera.objects
        self._world_from_base = inverse(base_from_world)
        self.world = World(things_of(camera.scene, camera.objects), camera.objects)
        self._grasps = kit_grasps(camera.objects)
        self.targets = {thing.obj_id: number for number, thing in enumerate(self.world.things)
                        if thing.obj_id in self._grasps and self._plan(number, thing.pose, CLEARANCE_MM) is not None}

    def at_truth(self, clearances_mm: Sequence[float]) -> Iterator[Attempt]:
        """The ceiling: what the gripper can do with perfect knowledge."""
        for number in self.targets.values():
            for clearance in clearances_mm:
                outcome = self._try(number, self.world.things[number].pose, clearance)
                yield self._attempt(number, "truth", 0, clearance, "ok", outcome)

    def at_estimates(self, estimates: Sequence[PoseEstimate], sense: Sense, views: int,
                     clearances_mm: Sequence[float]) -> Iterator[Attempt]:
        """Every target at the most certain estimate of it."""
        best: dict[int, PoseEstimate] = {}
        for estimate in sorted(estimates, key=lambda entry: entry.p_correct):
            if estimate.base_from_obj is not None:
                best[estimate.obj_id] = estimate
        for obj_id, number in self.targets.items():
            found = best.get(obj_id)
            for clearance in clearances_mm:
                if found is None or found.base_from_obj is None:
                    yield self._attempt(number, sense, views, clearance, "no_pose", "not found")
                    continue
                outcome = self._try(number, self._world_from_base @ found.base_from_obj, clearance)
                yield self._attempt(number, sense, views, clearance, found.status, outcome)

    def film(self, watch: Watch) -> None:
        """Pick the first target that holds, watched."""
        for number in self.targets.values():
            pose = self.world.things[number].pose
            if self._try(number, pose, CLEARANCE_MM) == "held":
                chosen = self._plan(number, pose, CLEARANCE_MM)
                assert chosen is not None
                pick(self.world, number, chosen, watch)
                return

    def _plan(self, number: int, believed: Array, clearance_mm: float) -> Plan | None:
        obj_id = self.world.things[number].obj_id
        return plan(self.world, number, believed, self._grasps[obj_id], 2 * clearance_mm / 1000)

    def _try(self, number: int, believed: Array, clearance_mm: float) -> Outcome:
        chosen = self._plan(number, believed, clearance_mm)
        if chosen is None:
            return "no grasp"
        if np.linalg.norm(believed[:3, 3] - self.world.things[number].pose[:3, 3]) > _HOPELESS:
            return "missed"
        return pick(self.world, number, chosen)

    def _attempt(self, number: int, sense: Sense, views: int, clearance_mm: float, status: str,
                 outcome: Outcome | Literal["not found"]) -> Attempt:
        label = self.objects[self.world.things[number].obj_id].label
        return Attempt(self.scene, label, sense, views, clearance_mm, status, outcome)


def things_of(scene: Scene, objects: Mapping[int, ObjectModel]) -> list[Thing]:
    """What physics needs to know of a table scene; the table itself is the plane z = 0."""
    library = AssetLibrary(objects)
    return [Thing(item.obj_id, item.world_from_item, library.mesh(item.shape).vertices * np.array(item.scale))
            for item in scene.items if item.shape != "quad"]
