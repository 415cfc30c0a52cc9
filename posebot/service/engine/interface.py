"""The inference engine as the API and the streams see it, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.results import FrameResult


@dataclass(frozen=True)
class Prediction:
    """The result of one frame, without fusion over time, and the model that computed it.

    Attributes:
        bundle: the model's name in the configuration. version: of the bundle. digest: see `model_cache.digest_of`.
    """

    result: FrameResult
    bundle: str
    version: str
    digest: str = ""

    @property
    def model(self) -> str:
        """Name and version, for display."""
        return f"{self.bundle} {self.version}"


class InferenceEngine(Protocol):
    """Runs all stages. `active`: name of the model used where a request names none."""

    active: str

    async def infer(self, frame: Frame, bundle: str | None = None) -> Prediction:
        """Raises InputError for a model that is not configured, Overloaded where too many frames are waiting."""

    async def activate(self, name: str, digest: str) -> None:
        """Load a model and make it the active one; the previous one serves until then."""

    async def probe(self) -> float:
        """Run one synthetic frame through every stage; returns milliseconds. Raises PosebotError if that fails."""

    async def check_health(self) -> None:
        """Probe, unless an inference has just succeeded. Raises PosebotError."""


def probe_frame() -> Frame:
    """A small RGB-D frame of noise."""
    rng = np.random.default_rng(0)
    rgb = np.repeat(np.repeat(rng.integers(0, 256, (15, 20, 3), dtype=np.uint8), 16, 0), 16, 1)
    camera = Camera(np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]), 320, 240)
    return Frame(rgb, camera, np.full((240, 320), 0.6, np.float32), None, "probe")
