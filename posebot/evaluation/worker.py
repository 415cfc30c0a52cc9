"""Evaluation of single images: a BOP split, a source of estimates, and a worker that brings both together."""

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
from posebot.evaluation import domain_shift
from posebot.evaluation.bop_csv import Row, read_csv
from posebot.evaluation.image_errors import ImageGroundTruth, evaluate_estimates
from posebot.evaluation.metrics import EvalModel
from posebot.evaluation.records import EvaluatedEstimate, GroundTruthInstance, ImageRecord

_MM = 1e-3


@dataclass(frozen=True)
class EvaluationSplit:
    """A BOP split and how it is evaluated.

    Attributes:
        root: folder of the data set. name: of the split. depth: whether the source gets depth images (VSD uses them in
            any case). objects: ids of the objects to evaluate, empty for all. shifted: whether the source gets images
            after a domain shift, see `evaluation.domain_shift`.
    """

    root: Path
    name: str
    depth: bool = True
    objects: tuple[int, ...] = ()
    shifted: bool = False

    def open(self) -> BopDataset:
        """The data set, opened once per process; with the meshes of `models_eval` where it has them, as BOP does."""
        return _open(self.root, self.name)

    def targets(self) -> dict[ImageKey, dict[int, int]]:
        """The images to evaluate, each with the number of target instances by object.

        Raises:
            InputError: no targets, or a target without a model.
        """
        dataset = self.open()
        targets: dict[ImageKey, dict[int, int]] = {}
        for target in dataset.targets():
            if not self.objects or target.obj_id in self.objects:
                targets.setdefault(target.key, {})[target.obj_id] = target.inst_count
        unknown = {obj_id for counts in targets.values() for obj_id in counts} - dataset.objects.keys()
        if unknown:
            raise DatasetError(dataset.models_dir, f"has no model of object {min(unknown)}, which is a target",
                               f"a mesh and an entry in models_info.json; there are {sorted(dataset.objects)}")
        if not targets:
            objects = f" of the objects {', '.join(map(str, self.objects))}" if self.objects else ""
            raise DatasetError(self.root / self.name, f"has no target{objects}",
                               "ground truth in scene_gt.json, and targets in test_targets_bop19.json if it exists")
        return dict(sorted(targets.items()))


@lru_cache(maxsize=2)
def _open(root: Path, name: str) -> BopDataset:
    exact = root / "models_eval"
    return BopDataset(root, name, exact if exact.is_dir() else None)


@dataclass(frozen=True)
class ImageEstimates:
    """Estimates of one image. covariances: 6x6 or None for each estimate, or empty. seconds: run time, if known."""

    estimates: tuple[EvaluatedEstimate, ...]
    covariances: tuple[Array | None, ...] = ()
    seconds: float | None = None


class EstimateSource(Protocol):
    """Where estimates come from. Created once in each process."""

    def estimate(self, key: ImageKey, frame: Frame) -> ImageEstimates:
        """The estimates of one image."""
        ...


class CsvEstimates:
    """ImageEstimates of a BOP csv.

    Raises:
        InputError: bad csv, an object that the data set has no model of, or no row for any target image.
    """

    def __init__(self, path: Path, split: EvaluationSplit) -> None:
        known, targets = split.open().objects, split.targets()
        self.rows: dict[ImageKey, list[Row]] = {}
        for row in read_csv(path):
            if row.obj_id not in known:
                raise DatasetError(path, f"obj_id {row.obj_id} has no model", f"one of {sorted(known)}")
            self.rows.setdefault(ImageKey(row.scene_id, row.im_id), []).append(row)
        if not self.rows.keys() & targets.keys():
            raise DatasetError(path, "has no estimates of the split's targets",
                               f"scene and image ids such as {', '.join(key.frame_id for key in list(targets)[:3])}")

    def estimate(self, key: ImageKey, frame: Frame) -> ImageEstimates:
        """The rows of the image."""
        rows = self.rows.get(key, [])
        estimates = tuple(EvaluatedEstimate(row.obj_id, row.score, row.cam_from_obj) for row in rows)
        seconds = rows[0].seconds if rows and rows[0].seconds >= 0 else None
        return ImageEstimates(estimates, seconds=seconds)


class EvaluationWorker:
    """Data set, meshes and source of one process. `make_source` is called here, in the process that evaluates."""

    def __init__(self, split: EvaluationSplit, make_source: Callable[[], EstimateSource]) -> None:
        self.split, self.dataset, self.source = split, split.open(), make_source()
        self.targets = split.targets()
        self.eval_models = {obj_id: EvalModel.of(model) for obj_id, model in self.dataset.objects.items()}

    def evaluate(self, key: ImageKey) -> ImageRecord:
        """Evaluate one image."""
        frame, inst_count = self.dataset.frame(key), self.targets[key]
        shown = frame if self.split.depth else replace(frame, depth=None)
        if self.split.shifted:
            shown = domain_shift.apply_domain_shift(shown, np.random.default_rng([key.scene_id, key.im_id]))
        result = self.source.estimate(key, shown)
        estimates = result.estimates
        if self.split.shifted:
            estimates = tuple(_box_to_original(estimate, frame.camera) for estimate in estimates)
        ground_truth = read_ground_truth(self.dataset, key, frame, inst_count)
        evaluated = evaluate_estimates(ground_truth, estimates, self.eval_models, result.covariances)
        return ImageRecord(key.frame_id, frame.camera.width, ground_truth.instances, evaluated, inst_count,
                           result.seconds, frame.depth is not None)


def _box_to_original(estimate: EvaluatedEstimate, camera: Camera) -> EvaluatedEstimate:
    if estimate.box is None:
        return estimate
    return replace(estimate, box=domain_shift.box_to_original_camera(estimate.box, camera))


def read_ground_truth(dataset: BopDataset, key: ImageKey, frame: Frame,
                      inst_count: dict[int, int]) -> ImageGroundTruth:
    """Ground truth of an image. Targets are the `inst_count` most visible instances of each object."""
    annotations = dataset.annotations(key)
    targets = _most_visible([a.obj_id for a in annotations], [a.visib_fract for a in annotations], inst_count)
    raw = true_poses(dataset, key)
    instances = tuple(GroundTruthInstance(
        a.obj_id, a.visib_fract, float(np.linalg.norm(a.cam_from_obj[:3, 3])), a.index in targets,
        None if a.box_visib is None else a.box_visib.tolist()) for a in annotations)
    poses = np.stack([raw[a.index] for a in annotations]) if annotations else np.zeros((0, 4, 4))
    return ImageGroundTruth(instances, poses, frame.camera.K, frame.depth)


def _most_visible(obj_ids: Sequence[int], visible: Sequence[float], inst_count: dict[int, int]) -> set[int]:
    remaining, chosen = dict(inst_count), set()
    for index in sorted(range(len(obj_ids)), key=lambda i: -visible[i]):
        if remaining.get(obj_ids[index], 0) > 0:
            remaining[obj_ids[index]] -= 1
            chosen.add(index)
    return chosen


def true_poses(dataset: BopDataset, key: ImageKey) -> list[Array]:
    """cam_from_obj (4, 4) of all instances of an image, metres, as in scene_gt.json."""
    return _raw_poses(dataset.folder / f"{key.scene_id:06d}" / "scene_gt.json").get(key.im_id, [])


@lru_cache(maxsize=4)
def _raw_poses(path: Path) -> dict[int, list[Array]]:
    """Poses of scene_gt.json, metres, not orthonormalised: BOP evaluates with them as they are."""
    return {int(im_id): [make(np.reshape(truth["cam_R_m2c"], (3, 3)), np.multiply(truth["cam_t_m2c"], _MM))
                         for truth in truths] for im_id, truths in json.loads(path.read_text()).items()}
