"""The simulated wrist camera: RGB-D images of objects dropped onto a table, from a moving robot hand.

World and base: z up, metres. The origin of the base frame is at the near edge of the table, on its surface. Frames and
ground truth are separate: pipelines get frames only.

Scenes are made in the kit's size: objects are scaled to it, and frames and poses scaled back. The camera is as near to
small objects as they are small, and sees them as large as the kit's.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.transforms import Array, make
from posebot.synth.distance import enlarged, scene_scale, shrunk
from posebot.video.camera_trajectory import CameraTrajectory
from posebot.video.source import CapturedFrame, FrameEvent

if TYPE_CHECKING:
    from posebot.core.objects import ObjectModel
    from posebot.datasets.bop_writer import GroundTruth
    from posebot.synth.label_renderer import LabelRenderer, Labels
    from posebot.synth.raster_renderer import RasterRenderer
    from posebot.synth.scene import Scene

REALSENSE_D435 = Camera(np.array([[615.0, 0, 319.5], [0, 615.0, 239.5], [0, 0, 1]]), 640, 480)
"""Approximates the colour camera of a RealSense D435 at 640x480, with registered depth."""
BASE_FROM_WORLD = make(translation=[0.55, 0.0, 0.0])
_KEPT_FRAMES = 1000  # frames whose ground truth is kept
_SEEDS = 7_000_000  # offset: never a seed of a training set


@dataclass(frozen=True)
class GroundTruthObject:
    """Pose of an object. visib_fract: visible fraction of its silhouette in this frame, 0..1."""

    obj_id: int
    base_from_obj: Array
    visib_fract: float


class SimulatedCamera:
    """A moving RGB-D camera over one scene. Frame i depends only on the seed.

    Must be used in one thread (OpenGL), except `ground_truth`.

    Args:
        objects: models by obj_id; default: the kit. seed: of scene and trajectory. fps: frames per second of the
            motion. depth: whether frames have depth. speed: factor on the speed of the hand.

    Attributes:
        scale: how much larger than the kit the objects, the table and the hand's path are.
    """

    def __init__(self, objects: Mapping[int, ObjectModel] | None = None, seed: int = 0, fps: float = 10.0,
                 depth: bool = True, speed: float = 1.0, camera: Camera = REALSENSE_D435, name: str = "wrist") -> None:
        self.seed, self.fps, self.depth, self.camera, self.name = seed, fps, depth, camera, name
        self._custom_objects = objects
        self._ground_truth: dict[int, list[GroundTruthObject]] = {}
        self.path = CameraTrajectory(_SEEDS + seed, speed=speed)

    def frames(self, count: int) -> Iterator[Frame]:
        """The first `count` frames, as fast as they can be rendered."""
        return (self.frame(index) for index in range(count))

    def frame(self, index: int) -> Frame:
        """The frame at `index` / fps seconds."""
        from posebot.synth.depth_noise import simulate_depth_sensor

        scene = self._scene_at(index)
        with self._label_renderer.gl.context:  # another camera of this thread may have made its context current
            rgb = self._renderer.render(scene)
            labels = self._label_renderer.render(scene)
        self._keep_ground_truth(index, scene, labels)
        depth = None
        if self.depth:
            depth = simulate_depth_sensor(labels.depth * np.float32(self.scale), self.camera.K,
                                          np.random.default_rng([self.seed, index]))
        return Frame(rgb, self.camera, depth, self.base_from_cam(index), f"{self.name}/{index}", time.time())

    def ground_truth(self, frame_id: str) -> list[GroundTruthObject]:
        """Ground truth of a rendered frame, from any thread; empty for frames that are no longer kept."""
        return self._ground_truth.get(int(frame_id.rpartition("/")[2]), [])

    def ground_truth_at(self, index: int) -> list[GroundTruthObject]:
        """Ground truth of the frame at `index`, rendered or not; in the camera's thread."""
        if index not in self._ground_truth:
            scene = self._scene_at(index)
            with self._label_renderer.gl.context:
                self._keep_ground_truth(index, scene, self._label_renderer.render(scene))
        return self._ground_truth[index]

    def _keep_ground_truth(self, index: int, scene: Scene, labels: Labels) -> None:
        self._ground_truth.pop(index - _KEPT_FRAMES, None)
        self._ground_truth[index] = [
            GroundTruthObject(item.obj_id, self._base_from(item.world_from_item), _visible_fraction(label))
            for item, label in zip(scene.targets, labels.ground_truths)]

    def base_from_cam(self, index: int) -> Array:
        """Camera pose (4x4) at `index` / fps seconds."""
        return self._base_from(self.path.world_from_cam(index / self.fps))

    def _base_from(self, world_from_any: Array) -> Array:
        """A pose of the scene, in the base frame and in the objects' own size."""
        return enlarged(BASE_FROM_WORLD @ world_from_any, self.scale)

    def close(self) -> None:
        """Release the renderer, in the thread that rendered the frames."""
        if "_label_renderer" in self.__dict__:
            self._label_renderer.gl.release()
            del self.__dict__["_label_renderer"]
            self.__dict__.pop("_renderer", None)

    @cached_property
    def objects(self) -> Mapping[int, ObjectModel]:
        """The models by obj_id."""
        if self._custom_objects is not None:
            return self._custom_objects
        from posebot.objects.kit import build_kit

        return build_kit()

    @cached_property
    def scale(self) -> float:
        if self._custom_objects is None:
            return 1.0
        return scene_scale({model.label: model.diameter for model in self._custom_objects.values()})

    @cached_property
    def _scaled_objects(self) -> Mapping[int, ObjectModel]:
        """The models in the kit's size."""
        return {number: replace(model, mesh=shrunk(model.mesh, self.scale), diameter=model.diameter / self.scale)
                for number, model in self.objects.items()}

    @cached_property
    def scene(self) -> Scene:
        """The scene on the table, in the kit's size."""
        from posebot.objects.kit import KIT_MATERIALS
        from posebot.synth.tabletop import tabletop_scene

        surfaces = KIT_MATERIALS if self._custom_objects is None else None
        return replace(tabletop_scene(self._scaled_objects, _SEEDS + self.seed, surfaces=surfaces), camera=self.camera)

    def _scene_at(self, index: int) -> Scene:
        scene = self.scene.with_camera_pose(self.path.world_from_cam(index / self.fps))
        return replace(scene, camera_effects=replace(scene.camera_effects, noise_seed=index))

    @cached_property
    def _renderer(self) -> RasterRenderer:
        from posebot.synth.raster_renderer import RasterRenderer

        return RasterRenderer(self._label_renderer.gl)

    @cached_property
    def _label_renderer(self) -> LabelRenderer:
        from posebot.synth.assets import AssetLibrary
        from posebot.synth.label_renderer import LabelRenderer
        from posebot.synth.opengl import OpenGLContext

        return LabelRenderer(OpenGLContext(AssetLibrary(self._scaled_objects)))


class SimulatedSource:
    """The simulated camera as a live source in real time: the newest frame wins.

    Frames that are not taken are not rendered, which saves CPU time, but count as dropped.
    """

    live: bool = True
    total: int | None = None

    def __init__(self, camera: SimulatedCamera) -> None:
        self.camera, self.name = camera, camera.name
        self.fps: float | None = camera.fps
        self._stopped = False

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        """Endless, until `close`. Time starts when the first frame is rendered."""
        first = self.camera.frame(0)
        start, last = time.monotonic(), 0
        yield CapturedFrame(first)
        while not self._stopped:
            now = (time.monotonic() - start) * self.camera.fps
            index = max(int(now), last + 1)
            time.sleep(max(0.0, (index - now) / self.camera.fps))
            yield CapturedFrame(self.camera.frame(index), dropped=index - last - 1)
            last = index

    def close(self) -> None:
        self._stopped = True
        self.camera.close()


def _visible_fraction(label: GroundTruth) -> float:
    return float(label.mask_visib.sum()) / max(label.px_count_all, 1)
