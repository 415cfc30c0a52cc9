"""Configuration of a synthetic dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from posebot.core.camera import Camera
from posebot.core.errors import InputError, RunStateError
from posebot.synth.distance import expected_distance

Renderer = Literal["raster", "path", "mix"]
_MAY_DIFFER = ("frames", "workers", "out", "objects", "backgrounds", "distractors")  # when a run is resumed
_OLD_NAMES = {"upright": "standing", "required_objects": "focus"}  # in records of earlier versions
_BEFORE = {"scale": 1.0}  # what earlier versions did without a record of it
DEFAULT_CAMERA = Camera(np.array([[572.4, 0, 325.3], [0, 573.6, 242.0], [0, 0, 1]]), 640, 480)


@dataclass(frozen=True)
class SynthConfig:
    """One split of a synthetic dataset.

    Attributes:
        objects: BOP models folder. frames: total number of images. out, split: written to `out/split/000000` ....
        seed: same seed, same images. renderer: "raster", "path", or "mix" with a share `mix` of path-traced images.
        backgrounds: folder of background images. distractors: BOP models folders of unlabelled distractor objects.
        camera: intrinsics and image size. jitter: relative range of the random focal length per image.
        distance: nearest and farthest object distance, metres. per_scene: images per scene folder.
        depth_noise: write depth with sensor noise (`depth_noise.py`); masks stay exact. jpg_quality: None writes PNG.
        max_faces: untextured meshes are decimated to this many faces before rendering.
        workers: processes; 0: in this process. required_objects: IDs of objects that are in every scene.
        upright: share of objects placed upright (z up, as modelled), viewed from above by a camera without roll. None:
        about a third are upright on the table, none of the floating ones.
        scale: size of the scenes, 1 for objects of the kit's size (`distance.scene_scale`): distractors, clutter, table
        and lights grow and shrink with the objects.
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
    camera: Camera = field(default_factory=lambda: DEFAULT_CAMERA)
    jitter: float = 0.1
    distance: tuple[float, float] = (0.4, 1.4)
    per_scene: int = 50
    depth_noise: bool = False
    jpg_quality: int | None = 95
    max_faces: int = 20_000
    workers: int = 2
    required_objects: tuple[int, ...] = ()
    upright: float | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        checks = (("frames", self.frames, self.frames >= 1, "1 or more"),
                  ("seed", self.seed, self.seed >= 0, "0 or more"),
                  ("workers", self.workers, self.workers >= 0, "0 or more"),
                  ("per_scene", self.per_scene, self.per_scene >= 1, "1 or more"),
                  ("mix", self.mix, 0 <= self.mix <= 1, "0 to 1"),
                  ("renderer", self.renderer, self.renderer in ("raster", "path", "mix"), "raster, path or mix"),
                  ("split", repr(self.split), re.fullmatch(r"(?!models$)[\w-][\w.-]*", self.split),
                   "a folder name such as train or val"),
                  ("jitter", self.jitter, 0 <= self.jitter < 0.9, "0 to 0.9"),
                  ("upright", self.upright, self.upright is None or 0 <= self.upright <= 1, "0 to 1"),
                  ("scale", self.scale, 0.01 <= self.scale <= 100, "0.01 to 100"),
                  ("distance", self.distance, 0.05 < self.distance[0] <= self.distance[1] < 6.5,
                   expected_distance(self.distance)))
        for name, value, valid, expected in checks:
            if not valid:
                raise InputError(f"synth {name}", f"{value} is not valid", expected)

    @property
    def scene_distance(self) -> tuple[float, float]:
        """`distance` in scenes of the kit's size."""
        return self.distance[0] / self.scale, self.distance[1] / self.scale

    @property
    def scenes(self) -> int:
        """Number of scene folders."""
        return -(-self.frames // self.per_scene)

    def frames_of(self, scene: int) -> range:
        """Frame indices, counted over the split, of a scene folder."""
        return range(scene * self.per_scene, min((scene + 1) * self.per_scene, self.frames))

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dictionary, as stored in dataset.json."""
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        return {**values, "camera": self.camera.to_dict(), "distance": list(self.distance),
                "required_objects": list(self.required_objects),
                "distractors": [str(folder) for folder in self.distractors]}

    def replace(self, **changes: Any) -> SynthConfig:
        """A copy with changed fields."""
        return replace(self, **changes)


def require_same(where: Path, before: Mapping[str, Any], config: SynthConfig) -> None:
    """Check that a split is resumed with the settings that it was started with.

    Raises:
        RunStateError: a setting that affects the images differs.
    """
    current = config.to_dict()
    for name in current:
        previous = before.get(name, before.get(_OLD_NAMES.get(name, name), _BEFORE.get(name)))
        if name not in _MAY_DIFFER and (previous or None) != (current[name] or None):
            raise RunStateError(f"{where}: {config.split}",
                                f"was started with {name} = {previous}, not {current[name]}",
                                "the same settings to resume it, or another --out or --split")
