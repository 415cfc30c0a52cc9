"""One picture's estimates against its truths: from poses to a `Record`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, difference
from posebot.evaluation import errors
from posebot.evaluation.records import Judged, Truth
from posebot.evaluation.vsd import vsd


@dataclass(frozen=True)
class Yardstick:
    """An object as it is measured with: the model (mesh from `models_eval`) and its symmetries (S, 4, 4)."""

    model: ObjectModel
    symmetries: Array

    @classmethod
    def of(cls, model: ObjectModel) -> Yardstick:
        return cls(model, model.symmetry_transforms(errors.BOP_STEPS))


@dataclass(frozen=True)
class Scene:
    """The truth about one picture. poses: cam_from_obj (T, 4, 4), one for each of `truths`. depth: metres, or None."""

    truths: tuple[Truth, ...]
    poses: Array
    K: Array
    depth: NDArray[np.floating] | None = None


def judge(scene: Scene, estimates: Sequence[Judged], yardsticks: Mapping[int, Yardstick],
          covariances: Sequence[Array | None] = ()) -> tuple[Judged, ...]:
    """The estimates with `truths` and `errors` filled in.

    Args:
        covariances: 6x6 of each estimate (see `core.results`), for the NLL; empty where there are none.
    """
    judged = list(estimates)
    for obj_id, stick in yardsticks.items():
        theirs = [i for i, truth in enumerate(scene.truths) if truth.obj_id == obj_id]
        ours = [i for i, est in enumerate(estimates) if est.obj_id == obj_id and est.cam_from_obj is not None]
        if not theirs or not ours:
            continue
        poses = np.stack([pose for i in ours if (pose := estimates[i].cam_from_obj) is not None])
        table = pose_errors(poses, scene.poses[theirs], stick, scene.K, scene.depth)
        for row, i in enumerate(ours):
            found = {name: values[row] for name, values in table.items()}
            if covariances and (covariance := covariances[i]) is not None:
                pairs = [likelihood(poses[row], truth, covariance, stick.symmetries) for truth in scene.poses[theirs]]
                found["mahalanobis"], found["nll"] = np.array(pairs).T
            if others := estimates[i].alternatives:
                found["alternatives"] = np.stack([
                    errors.mssd(np.stack(others), truth, stick.model.mesh.vertices, stick.symmetries)
                    for truth in scene.poses[theirs]])
            judged[i] = replace(judged[i], truths=theirs, errors=found)
    return tuple(judged)


def pose_errors(est: Array, gt: Array, stick: Yardstick, K: Array,
                depth: NDArray[np.floating] | None = None) -> dict[str, Array]:
    """All errors of E estimates against G truths of one object: name to (E, G), VSD (E, G, 10), ADI only if symmetric.

    Translation and rotation are those from the symmetric equivalent of the truth that is nearest in rotation.
    """
    vertices, symmetries = stick.model.mesh.vertices, stick.symmetries
    pairs = np.repeat(est, len(gt), axis=0), np.tile(gt, (len(est), 1, 1))
    nearest = errors.nearest_equivalent(*pairs, symmetries)
    table = {
        "mssd": errors.mssd(*pairs, vertices, symmetries), "mspd": errors.mspd(*pairs, K, vertices, symmetries),
        "add": errors.add(*pairs, vertices), "translation": errors.translation_error(pairs[0], nearest),
        "rotation": errors.rotation_error(pairs[0], nearest),
    }
    if stick.model.symmetric:
        table["adi"] = errors.adi(*pairs, vertices)
    table = {name: values.reshape(len(est), len(gt)) for name, values in table.items()}
    if depth is not None:
        table["vsd"] = vsd(est, gt, stick.model, K, depth)
    return table


def likelihood(est: Array, gt: Array, covariance: Array, symmetries: Array) -> tuple[float, float]:
    """Squared Mahalanobis distance and -log N(truth; estimate, covariance) in nats, of the nearest equivalent truth.

    Both infinite where the covariance is not positive definite.
    """
    twist = difference(errors.nearest_equivalent(est, gt, symmetries)[0], est)
    try:
        whitened = np.linalg.solve(factor := np.linalg.cholesky(covariance), twist)
    except np.linalg.LinAlgError:
        return float("inf"), float("inf")
    squared = float(whitened @ whitened)
    return squared, squared / 2 + float(np.log(np.diag(factor)).sum()) + 3 * float(np.log(2 * np.pi))
