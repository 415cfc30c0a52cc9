"""Judging one picture after another: a split, a source of estimates, and a worker that puts both together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from posebot.core.camera import Camera
from posebot.core.errors import DatasetError
from posebot.core.frame import Frame
from posebot.core.transforms import Array, make
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.evaluation import shift
from posebot.evaluation.csv import Row, read_csv
from posebot.evaluation.judge import Scene, Yardstick, judge
from posebot.evaluation.records import Judged, Record, Truth

_MM = 1e-3


@dataclass(frozen=True)
class Split:
    """A BOP split as it is evaluated.

    Attributes:
        root: the data set's folder. name: of the split. depth: let the source see depth images (VSD uses them in any
            case). objects: the objects that are asked for, empty for all. shifted: show it as a worse
            camera would see it.
    """

    root: Path
    name: str
    depth: bool = True
    objects: tuple[int, ...] = ()
    shifted: bool = False

    def open(self) -> BopDataset:
        """The data set, opened once a process; with the meshes of `models_eval` where it has them, as BOP asks."""
        return _opened(self.root, self.name)

    def wanted(self) -> dict[ImageKey, dict[int, int]]:
        """The pictures to judge, and how many instances of each object are asked for in them.

        Raises:
            InputError: there is nothing to be found, or something that no model is known of.
        """
        dataset = self.open()
        wanted: dict[ImageKey, dict[int, int]] = {}
        for target in dataset.targets():
            if not self.objects or target.obj_id in self.objects:
                wanted.setdefault(target.key, {})[target.obj_id] = target.inst_count
        unknown = {obj_id for counts in wanted.values() for obj_id in counts} - dataset.objects.keys()
        if unknown:
            raise DatasetError(dataset.models_dir, f"holds no model of object {min(unknown)}, which is to be found",
                               f"a mesh and an entry in models_info.json; there are {sorted(dataset.objects)}")
        if not wanted:
            objects = f" of the objects {', '.join(map(str, self.objects))}" if self.objects else ""
            raise DatasetError(self.root / self.name, f"holds no target{objects}",
                               "truth in scene_gt.json, and targets in test_targets_bop19.json if there is that file")
        return dict(sorted(wanted.items()))


@lru_cache(maxsize=2)
def _opened(root: Path, name: str) -> BopDataset:
    exact = root / "models_eval"
    return BopDataset(root, name, exact if exact.is_dir() else None)


@dataclass(frozen=True)
class Estimates:
    """What a source says about one picture. covariances: 6x6 or None for each estimate, or empty. seconds: if known."""

    judged: tuple[Judged, ...]
    covariances: tuple[Array | None, ...] = ()
    seconds: float | None = None


class Source(Protocol):
    """Where estimates come from. Made once in each process."""

    def estimate(self, key: ImageKey, frame: Frame) -> Estimates:
        """The estimates for one picture."""
        ...


class CsvSource:
    """Estimates of a BOP csv.

    Raises:
        InputError: bad csv, an object that the data set has no model of, or no row about any of the pictures.
    """

    def __init__(self, path: Path, split: Split) -> None:
        known, wanted = split.open().objects, split.wanted()
        self.rows: dict[ImageKey, list[Row]] = {}
        for row in read_csv(path):
            if row.obj_id not in known:
                raise DatasetError(path, f"obj_id {row.obj_id} has no model", f"one of {sorted(known)}")
            self.rows.setdefault(ImageKey(row.scene_id, row.im_id), []).append(row)
        if not self.rows.keys() & wanted.keys():
            raise DatasetError(path, "tells nothing about the split's targets",
                               f"scene and image numbers such as {', '.join(key.frame_id for key in list(wanted)[:3])}")

    def estimate(self, key: ImageKey, frame: Frame) -> Estimates:
        """The rows of the picture."""
        rows = self.rows.get(key, [])
        seconds = rows[0].seconds if rows and rows[0].seconds >= 0 else None
        return Estimates(tuple(Judged(row.obj_id, row.score, row.cam_from_obj) for row in rows), seconds=seconds)


class Worker:
    """One process's data set, meshes and source. `make_source` is called here, so that it need only be a recipe."""

    def __init__(self, split: Split, make_source: Callable[[], Source]) -> None:
        self.split, self.dataset, self.source = split, split.open(), make_source()
        self.wanted = split.wanted()
        self.yardsticks = {obj_id: Yardstick.of(model) for obj_id, model in self.dataset.objects.items()}

    def judge(self, key: ImageKey) -> Record:
        """Judge one picture."""
        frame, inst_count = self.dataset.frame(key), self.wanted[key]
        shown = frame if self.split.depth else replace(frame, depth=None)
        if self.split.shifted:
            shown = shift.shifted(shown, np.random.default_rng([key.scene_id, key.im_id]))
        found = self.source.estimate(key, shown)
        ours = [_unshifted(one, frame.camera) for one in found.judged] if self.split.shifted else found.judged
        scene = read_scene(self.dataset, key, frame, inst_count)
        judged = judge(scene, ours, self.yardsticks, found.covariances)
        return Record(key.frame_id, frame.camera.width, scene.truths, judged, inst_count, found.seconds,
                      frame.depth is not None)


def _unshifted(estimate: Judged, camera: Camera) -> Judged:
    return estimate if estimate.box is None else replace(estimate, box=shift.unshifted_box(estimate.box, camera))


def read_scene(dataset: BopDataset, key: ImageKey, frame: Frame, inst_count: dict[int, int]) -> Scene:
    """The picture's truth. Targets are the `inst_count` most visible instances of each object."""
    annotations = dataset.annotations(key)
    targets = _most_visible([a.obj_id for a in annotations], [a.visib_fract for a in annotations], inst_count)
    raw = _raw_poses(dataset.folder / f"{key.scene_id:06d}" / "scene_gt.json").get(key.im_id, [])
    truths = tuple(Truth(a.obj_id, a.visib_fract, float(np.linalg.norm(a.cam_from_obj[:3, 3])), a.index in targets,
                         None if a.box_visib is None else a.box_visib.tolist()) for a in annotations)
    poses = np.stack([raw[a.index] for a in annotations]) if annotations else np.zeros((0, 4, 4))
    return Scene(truths, poses, frame.camera.K, frame.depth)


def _most_visible(obj_ids: Sequence[int], visible: Sequence[float], inst_count: dict[int, int]) -> set[int]:
    left, chosen = dict(inst_count), set()
    for index in sorted(range(len(obj_ids)), key=lambda i: -visible[i]):
        if left.get(obj_ids[index], 0) > 0:
            left[obj_ids[index]] -= 1
            chosen.add(index)
    return chosen


@lru_cache(maxsize=4)
def _raw_poses(path: Path) -> dict[int, list[Array]]:
    """Poses as they stand in scene_gt.json, metres: BOP judges with them even where they are not quite orthonormal."""
    return {int(im_id): [make(np.reshape(truth["cam_R_m2c"], (3, 3)), np.multiply(truth["cam_t_m2c"], _MM))
                         for truth in truths] for im_id, truths in json.loads(path.read_text()).items()}
