"""The simulated wrist camera: RGB-D of a table with objects that physics has dropped, seen from a moving robot hand.

World and base: z up, metres. The base frame lies at the table's near edge, on its surface. What the camera knows
(`Frame`) and the truth about the objects (`truth`) are kept apart: pipelines get frames only.
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
from posebot.video.camera_trajectory import CameraTrajectory
from posebot.video.source import CapturedFrame, FrameEvent

if TYPE_CHECKING:
    from posebot.core.objects import ObjectModel
    from posebot.datasets.bop_writer import GroundTruth
    from posebot.synth.label_renderer import LabelRenderer, Labels
    from posebot.synth.raster_renderer import RasterRenderer
    from posebot.synth.scene import Scene

REALSENSE_D435 = Camera(np.array([[615.0, 0, 319.5], [0, 615.0, 239.5], [0, 0, 1]]), 640, 480)
"""Close to the colour camera of a D435 at 640x480, depth registered to it."""
BASE_FROM_WORLD = make(translation=[0.55, 0.0, 0.0])
_REMEMBERED = 1000  # frames whose truth can be asked for
_SEEDS = 7_000_000  # training sets count their scenes from 0: these are never among them


@dataclass(frozen=True)
class GroundTruthObject:
    """Where an object really is. visib_fract: visible share of its silhouette in this frame, 0..1."""

    obj_id: int
    base_from_obj: Array
    visib_fract: float


class SimulatedCamera:
    """A moving RGB-D camera over one scene. Frame i is the same for the same seed, whatever was drawn before it.

    To be used in one thread only (OpenGL), but for `truth`.

    Args:
        objects: what may lie on the table, by number; default: the kit. seed: scene and path. fps: frames a second of
            the motion. depth: whether frames have depth. speed: of the hand.
    """

    def __init__(self, objects: Mapping[int, ObjectModel] | None = None, seed: int = 0, fps: float = 10.0,
                 depth: bool = True, speed: float = 1.0, camera: Camera = REALSENSE_D435, name: str = "wrist") -> None:
        self.seed, self.fps, self.depth, self.camera, self.name = seed, fps, depth, camera, name
        self._given = objects
        self._truths: dict[int, list[GroundTruthObject]] = {}
        self.path = CameraTrajectory(_SEEDS + seed, speed=speed)

    def frames(self, count: int) -> Iterator[Frame]:
        """The first `count` frames, in order, as fast as they can be drawn."""
        return (self.frame(index) for index in range(count))

    def frame(self, index: int) -> Frame:
        """The frame at `index` / fps seconds."""
        from posebot.synth.depth_noise import simulate_depth_sensor

        scene = self._seen(index)
        with self._label_renderer.gl.context:  # another camera of this thread may have been drawn in between
            rgb = self._renderer.render(scene)
            labels = self._label_renderer.render(scene)
        self._remember(index, scene, labels)
        depth = None
        if self.depth:
            depth = simulate_depth_sensor(labels.depth, self.camera.K, np.random.default_rng([self.seed, index]))
        return Frame(rgb, self.camera, depth, self.base_from_cam(index), f"{self.name}/{index}", time.time())

    def truth(self, frame_id: str) -> list[GroundTruthObject]:
        """The truth about a frame that was taken; may be asked in any thread. Empty for one long ago."""
        return self._truths.get(int(frame_id.rpartition("/")[2]), [])

    def look(self, index: int) -> list[GroundTruthObject]:
        """The truth about the frame at `index`, whoever took it; in the camera's thread."""
        if index not in self._truths:
            scene = self._seen(index)
            with self._label_renderer.gl.context:
                self._remember(index, scene, self._label_renderer.render(scene))
        return self._truths[index]

    def _remember(self, index: int, scene: Scene, labels: Labels) -> None:
        self._truths.pop(index - _REMEMBERED, None)
        self._truths[index] = [
            GroundTruthObject(item.obj_id, BASE_FROM_WORLD @ item.world_from_item, _visible_share(label))
            for item, label in zip(scene.targets, labels.ground_truths)]

    def base_from_cam(self, index: int) -> Array:
        """The camera's pose at `index` / fps seconds."""
        return BASE_FROM_WORLD @ self.path.world_from_cam(index / self.fps)

    def close(self) -> None:
        """Let go of the renderer's memory, in the thread that took the frames."""
        if "_label_renderer" in self.__dict__:
            self._label_renderer.gl.release()
            del self.__dict__["_label_renderer"]
            self.__dict__.pop("_renderer", None)

    @cached_property
    def objects(self) -> Mapping[int, ObjectModel]:
        """What may lie on the table."""
        if self._given is not None:
            return self._given
        from posebot.objects.kit import build_kit

        return build_kit()

    @cached_property
    def scene(self) -> Scene:
        """What lies on the table."""
        from posebot.objects.kit import KIT_MATERIALS
        from posebot.synth.tabletop import tabletop_scene

        surfaces = KIT_MATERIALS if self._given is None else None
        return replace(tabletop_scene(self.objects, _SEEDS + self.seed, surfaces=surfaces), camera=self.camera)

    def _seen(self, index: int) -> Scene:
        seen = self.scene.with_camera_pose(self.path.world_from_cam(index / self.fps))
        return replace(seen, camera_effects=replace(seen.camera_effects, noise_seed=index))

    @cached_property
    def _renderer(self) -> RasterRenderer:
        from posebot.synth.raster_renderer import RasterRenderer

        return RasterRenderer(self._label_renderer.gl)

    @cached_property
    def _label_renderer(self) -> LabelRenderer:
        from posebot.synth.assets import AssetLibrary
        from posebot.synth.label_renderer import LabelRenderer
        from posebot.synth.opengl import OpenGLContext

        return LabelRenderer(OpenGLContext(AssetLibrary(self.objects)))


class SimulatedSource:
    """The simulated camera as a live source: in its own time, and the newest frame wins.

    A real camera's frames are thrown away while nobody looks; the simulation's are not even drawn then, which leaves
    the processor to those who look. What was passed over counts as dropped all the same.
    """

    live: bool = True
    total: int | None = None

    def __init__(self, camera: SimulatedCamera) -> None:
        self.camera, self.name = camera, camera.name
        self.fps: float | None = camera.fps
        self._stopped = False

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        """Endless, until `close`. The camera's clock starts when its first frame has been drawn."""
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


def _visible_share(label: GroundTruth) -> float:
    return float(label.mask_visib.sum()) / max(label.px_count_all, 1)
