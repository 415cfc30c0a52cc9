"""What the API and the streams want of inference, and what is sent between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.results import FrameResult


@dataclass(frozen=True)
class Prediction:
    """A frame's result without fusion over time, and whose it is: name in the configuration, version, digest."""

    result: FrameResult
    bundle: str
    version: str
    digest: str = ""

    @property
    def model(self) -> str:
        """For people: name and version."""
        return f"{self.bundle} {self.version}"


class InferenceEngine(Protocol):
    """All stages. `active`: name of the bundle that answers where none is asked for."""

    active: str

    async def infer(self, frame: Frame, bundle: str | None = None) -> Prediction:
        """Raises InputError for a bundle that is not in the configuration, ApiError 503 where too much is waiting."""

    async def activate(self, name: str, digest: str) -> None:
        """Load a bundle and let it answer from then on; until then the old one does."""

    async def probe(self) -> float:
        """Take one picture through every stage; milliseconds. Raises PosebotError where that does not work."""


def probe_frame() -> Frame:
    """A small RGB-D picture of nothing in particular."""
    rng = np.random.default_rng(0)
    rgb = np.repeat(np.repeat(rng.integers(0, 256, (15, 20, 3), dtype=np.uint8), 16, 0), 16, 1)
    camera = Camera(np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]), 320, 240)
    return Frame(rgb, camera, np.full((240, 320), 0.6, np.float32), None, "probe")
