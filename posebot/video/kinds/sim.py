"""`kind: sim`: the simulated RGB-D wrist camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from posebot.video.kinds.base import CameraConfig, CameraContext, NonNegative
from posebot.video.source import Source

if TYPE_CHECKING:
    from posebot.video.simulated_camera import SimulatedCamera

_DEFAULT_FPS = 10.0


class SimCamera(CameraConfig):
    """A wrist camera that moves over a table with objects. Intrinsics and poses are known."""

    kind: Literal["sim"] = "sim"
    seed: Annotated[int, Field(ge=0, lt=1e6)] = 0
    """Scene and camera path."""
    speed: NonNegative = 1.0
    """Speed of the robot's hand; at 1 it moves at up to 0.15 m/s."""
    bundle: str = "kit"
    """Bundle with the objects on the table, a name or a path; the kit has its own materials."""

    def open(self, context: CameraContext) -> Source:
        from posebot.video.simulated_camera import SimulatedSource

        beside = context.folder / self.bundle
        config = self.model_copy(update={"bundle": str(beside)}) if beside.exists() else self
        return SimulatedSource(simulated_camera(context.name, config, context.depth))


def simulated_camera(name: str, config: SimCamera, with_depth: bool = True) -> SimulatedCamera:
    """The camera of a configuration, for callers that need its ground truth."""
    from posebot.models.bundle import Bundle
    from posebot.video.simulated_camera import SimulatedCamera

    models = None
    if config.bundle != "kit":
        models = {model.obj_id: model for model in Bundle.open(config.bundle).objects}
    return SimulatedCamera(models, config.seed, config.fps or _DEFAULT_FPS, with_depth and config.depth, config.speed,
                           name=name)
