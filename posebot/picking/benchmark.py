"""Pick benchmark: success rate of picks with estimated poses, fused over the views of a wrist camera."""

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
from posebot.picking.grasp_execution import GraspPlan, Outcome, StageCallback, execute_grasp, plan_grasp
from posebot.picking.grasps import Grasp, kit_grasps
from posebot.picking.simulation import PickSimulation, PlacedObject
from posebot.stages.fuse import Fuser
from posebot.stages.pipeline import Pipeline
from posebot.synth.assets import AssetLibrary
from posebot.synth.scene import Scene

Modality = Literal["rgbd", "rgb", "truth"]
CLEARANCE_MM = 10.0  # between object and finger on each side during the approach
_MAX_POSE_ERROR = 0.15  # metres: farther away a pick cannot succeed and is not simulated


class WristCamera(Protocol):
    """Interface of `video.simulated_camera.SimulatedCamera`, on which this package does not depend."""

    seed: int

    @property
    def scene(self) -> Scene: ...

    @property
    def objects(self) -> Mapping[int, ObjectModel]: ...

    def frame(self, index: int) -> Frame: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class BenchmarkOptions:
    """Options of the benchmark.

    Attributes:
        views: numbers of views after which picks are attempted.
        clearances_mm: per side; all are tried after `sweep_views` views, otherwise `CLEARANCE_MM` only.
    """

    modalities: tuple[Modality, ...] = ("rgbd", "rgb")
    views: tuple[int, ...] = (1, 2, 4, 8)
    clearances_mm: tuple[float, ...] = (5.0, CLEARANCE_MM, 20.0)
    sweep_views: int = 4


@dataclass(frozen=True)
class PickAttempt:
    """One pick.

    Attributes:
        modality: "truth" at the true pose, with 0 views. status: of the estimate. outcome: also "not found".
    """

    scene: int
    label: str
    modality: Modality
    views: int
    clearance_mm: float
    status: str
    outcome: Outcome | Literal["not found"]


def run_benchmark(
    bundle: Bundle, camera_of: Callable[[int], WristCamera], base_from_world: Array, seeds: Sequence[int],
    options: BenchmarkOptions, recorder_of: Callable[[PickSimulation, WristCamera], StageCallback] | None = None,
) -> Iterator[PickAttempt]:
    """All attempts, scene by scene.

    Args:
        camera_of: wrist camera over the scene of a seed, with the kit on its table. base_from_world: 4x4.
        recorder_of: creates the stage callback of the first successful pick.

    Raises:
        InputError: no grasps are defined for an object of the bundle.
    """
    if unknown := [model.label for model in bundle.objects if model.obj_id not in kit_grasps_of(bundle)]:
        raise InputError("--picks", f"no grasps are defined for {', '.join(unknown)}", "the bundle `kit` or one of its "
                         "objects")
    pipelines: dict[Modality, Pipeline] = {modality: Pipeline(bundle, depth=modality == "rgbd", fuse=False)
                                        for modality in options.modalities}
    for seed in seeds:
        camera = camera_of(seed)
        trials = TabletopTrials(camera, base_from_world)
        yield from trials.with_true_poses(options.clearances_mm)
        if recorder_of is not None:
            trials.record(recorder_of(trials.simulation, camera))
            recorder_of = None
        fusers = {modality: Fuser(bundle.objects) for modality in options.modalities}
        for index in range(max(options.views)):
            frame = camera.frame(index)
            for modality, pipeline in pipelines.items():
                fusers[modality](frame, pipeline(frame).estimates)
                if index + 1 in options.views:
                    mode = bundle.manifest.calibration.depth if modality == "rgbd" else bundle.manifest.calibration.rgb
                    clearances = options.clearances_mm if index + 1 == options.sweep_views else (CLEARANCE_MM,)
                    yield from trials.with_estimates(fusers[modality].map(mode), modality, index + 1, clearances)
        camera.close()


def kit_grasps_of(bundle: Bundle) -> dict[int, list[Grasp]]:
    """Grasps by object ID, for the objects of a bundle that are those of the kit (by ID and label)."""
    from posebot.objects.kit import build_kit

    kit = build_kit()
    return kit_grasps({model.obj_id: kit[model.obj_id] for model in bundle.objects
                       if model.obj_id in kit and kit[model.obj_id].label == model.label})


class TabletopTrials:
    """Trials in one scene. Targets are the objects with a collision-free grasp at the true pose."""

    def __init__(self, camera: WristCamera, base_from_world: Array) -> None:
        self.scene, self.objects = camera.seed, camera.objects
        self._world_from_base = inverse(base_from_world)
        self.simulation = PickSimulation(placed_objects(camera.scene, camera.objects), camera.objects)
        self._grasps = kit_grasps(camera.objects)
        self.targets = {entry.obj_id: index for index, entry in enumerate(self.simulation.placed)
                        if entry.obj_id in self._grasps and self._plan(index, entry.pose, CLEARANCE_MM) is not None}

    def with_true_poses(self, clearances_mm: Sequence[float]) -> Iterator[PickAttempt]:
        """Upper bound: picks with the true poses."""
        for index in self.targets.values():
            for clearance in clearances_mm:
                outcome = self._execute(index, self.simulation.placed[index].pose, clearance)
                yield self._attempt(index, "truth", 0, clearance, "ok", outcome)

    def with_estimates(self, estimates: Sequence[PoseEstimate], modality: Modality, views: int,
                     clearances_mm: Sequence[float]) -> Iterator[PickAttempt]:
        """Picks of every target at its most certain estimate."""
        best: dict[int, PoseEstimate] = {}
        for candidate in sorted(estimates, key=lambda entry: entry.p_correct):
            if candidate.base_from_obj is not None:
                best[candidate.obj_id] = candidate
        for obj_id, index in self.targets.items():
            estimate = best.get(obj_id)
            for clearance in clearances_mm:
                if estimate is None or estimate.base_from_obj is None:
                    yield self._attempt(index, modality, views, clearance, "no_pose", "not found")
                    continue
                outcome = self._execute(index, self._world_from_base @ estimate.base_from_obj, clearance)
                yield self._attempt(index, modality, views, clearance, estimate.status, outcome)

    def record(self, on_stage: StageCallback) -> None:
        """Record the first successful pick."""
        for index in self.targets.values():
            pose = self.simulation.placed[index].pose
            if self._execute(index, pose, CLEARANCE_MM) == "held":
                grasp_plan = self._plan(index, pose, CLEARANCE_MM)
                assert grasp_plan is not None
                execute_grasp(self.simulation, index, grasp_plan, on_stage)
                return

    def _plan(self, index: int, estimated_pose: Array, clearance_mm: float) -> GraspPlan | None:
        obj_id = self.simulation.placed[index].obj_id
        return plan_grasp(self.simulation, index, estimated_pose, self._grasps[obj_id], 2 * clearance_mm / 1000)

    def _execute(self, index: int, estimated_pose: Array, clearance_mm: float) -> Outcome:
        grasp_plan = self._plan(index, estimated_pose, clearance_mm)
        if grasp_plan is None:
            return "no grasp"
        if np.linalg.norm(estimated_pose[:3, 3] - self.simulation.placed[index].pose[:3, 3]) > _MAX_POSE_ERROR:
            return "missed"
        return execute_grasp(self.simulation, index, grasp_plan)

    def _attempt(self, index: int, modality: Modality, views: int, clearance_mm: float, status: str,
                 outcome: Outcome | Literal["not found"]) -> PickAttempt:
        label = self.objects[self.simulation.placed[index].obj_id].label
        return PickAttempt(self.scene, label, modality, views, clearance_mm, status, outcome)


def placed_objects(scene: Scene, objects: Mapping[int, ObjectModel]) -> list[PlacedObject]:
    """Objects of a tabletop scene for the simulation; the table is the plane z = 0."""
    library = AssetLibrary(objects)
    return [PlacedObject(item.obj_id, item.world_from_item, library.mesh(item.shape).vertices * np.array(item.scale))
            for item in scene.items if item.shape != "quad"]
