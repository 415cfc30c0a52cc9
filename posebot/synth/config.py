"""What `posebot synth` is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from posebot.core.camera import Camera
from posebot.core.errors import InputError, RunStateError

Renderer = Literal["raster", "path", "mix"]
HOME = ("frames", "workers", "out", "objects", "backgrounds", "distractors")  # may differ when a run is continued
KINECT = Camera(np.array([[572.4, 0, 325.3], [0, 573.6, 242.0], [0, 0, 1]]), 640, 480)


@dataclass(frozen=True)
class SynthConfig:
    """One split of a data set to be made.

    Attributes:
        objects: BOP models folder. frames: pictures in all. out, split: `out/split/000000` ... hold them.
        seed: the same seed gives the same pictures. renderer: "raster", "path", or "mix" with share `mix` of path.
        backgrounds: folder of photographs. distractors: models folders of things that are not to be found.
        camera: intrinsics and size. jitter: relative spread of the focal length, picture by picture.
        distance: nearest and farthest, metres. per_scene: pictures in a scene folder, the unit of resuming.
        depth_noise: write depth as a sensor would read it; masks stay exact. jpg_quality: None: PNG.
        max_faces: meshes without a texture are simplified to this many faces before they are drawn.
        workers: processes; 0: in this one. focus: numbers of objects that are in every picture's scene.
        standing: share of the objects that stand as their meshes do (z upwards), seen from above by a camera that is
        held level. None: about a third stand in the drops, and none of those in the air.
    """

    objects: Path
    frames: int
    out: Path
    split: str = "train"
    seed: int = 0
    renderer: Renderer = "raster"
    mix: float = 0.2
    backgrounds: Path | None = None
    distractors: tuple[Path, ...] = ()
    camera: Camera = field(default_factory=lambda: KINECT)
    jitter: float = 0.1
    distance: tuple[float, float] = (0.4, 1.4)
    per_scene: int = 50
    depth_noise: bool = False
    jpg_quality: int | None = 95
    max_faces: int = 20_000
    workers: int = 2
    focus: tuple[int, ...] = ()
    standing: float | None = None

    def __post_init__(self) -> None:
        checks = (("frames", self.frames, self.frames >= 1, "1 or more"),
                  ("seed", self.seed, self.seed >= 0, "0 or more"),
                  ("workers", self.workers, self.workers >= 0, "0 or more"),
                  ("per_scene", self.per_scene, self.per_scene >= 1, "1 or more"),
                  ("mix", self.mix, 0 <= self.mix <= 1, "0 to 1"),
                  ("renderer", self.renderer, self.renderer in ("raster", "path", "mix"), "raster, path or mix"),
                  ("split", repr(self.split), re.fullmatch(r"(?!models$)[\w-][\w.-]*", self.split),
                   "a folder's name, like train or val"),
                  ("jitter", self.jitter, 0 <= self.jitter < 0.9, "0 to 0.9"),
                  ("standing", self.standing, self.standing is None or 0 <= self.standing <= 1, "0 to 1"),
                  ("distance", self.distance, 0.05 < self.distance[0] <= self.distance[1] < 6.5,
                   "nearest <= farthest, between 0.05 and 6.5 metres"))
        for name, value, right, expected in checks:
            if not right:
                raise InputError(f"synth {name}", f"{value} cannot be used", expected)

    @property
    def scenes(self) -> int:
        """Number of scene folders."""
        return -(-self.frames // self.per_scene)

    def frames_of(self, scene: int) -> range:
        """Numbers of the frames, counted over the split, that lie in a scene folder."""
        return range(scene * self.per_scene, min((scene + 1) * self.per_scene, self.frames))

    def to_dict(self) -> dict[str, Any]:
        """For dataset.json."""
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        return {**values, "camera": self.camera.to_dict(), "distance": list(self.distance), "focus": list(self.focus),
                "distractors": [str(folder) for folder in self.distractors]}

    def replace(self, **changes: Any) -> SynthConfig:
        return replace(self, **changes)


def require_same(where: Path, before: Mapping[str, Any], config: SynthConfig) -> None:
    """A run can only be continued with the settings it was begun with.

    Raises:
        InputError: a setting that changes the pictures differs.
    """
    now = config.to_dict()
    for name in now:
        if name not in HOME and (before.get(name) or None) != (now[name] or None):
            raise RunStateError(f"{where}: {config.split}",
                                f"was begun with {name} = {before.get(name)}, not {now[name]}",
                                "the same settings to continue it, or another --out or --split")
