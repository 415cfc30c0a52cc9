"""Pose errors of one image's estimates against its ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array, difference
from posebot.evaluation import pose_errors
from posebot.evaluation.metrics import EvalModel, PosePairs, load_metrics
from posebot.evaluation.records import EvaluatedEstimate, GroundTruthInstance


@dataclass(frozen=True)
class ImageGroundTruth:
    """Ground truth of one image. poses: cam_from_obj (G, 4, 4) of `instances`. depth: (H, W) metres, or None."""

    instances: tuple[GroundTruthInstance, ...]
    poses: Array
    K: Array
    depth: NDArray[np.floating] | None = None


def evaluate_estimates(ground_truth: ImageGroundTruth, estimates: Sequence[EvaluatedEstimate],
                       eval_models: Mapping[int, EvalModel],
                       covariances: Sequence[Array | None] = ()) -> tuple[EvaluatedEstimate, ...]:
    """The estimates with `truths` and `errors` filled in.

    Args:
        covariances: 6x6 of each estimate (see `core.results`), for the NLL; empty where there are none.
    """
    evaluated = list(estimates)
    for obj_id, eval_model in eval_models.items():
        truths = [i for i, instance in enumerate(ground_truth.instances) if instance.obj_id == obj_id]
        rows = [i for i, est in enumerate(estimates) if est.obj_id == obj_id and est.cam_from_obj is not None]
        if not truths or not rows:
            continue
        poses = np.stack([pose for i in rows if (pose := estimates[i].cam_from_obj) is not None])
        gt = ground_truth.poses[truths]
        table = compute_pose_errors(poses, gt, eval_model, ground_truth.K, ground_truth.depth)
        for row, i in enumerate(rows):
            errors = {name: values[row] for name, values in table.items()}
            covariance = covariances[i] if covariances else None
            errors |= _certainty_errors(estimates[i], poses[row], gt, eval_model, covariance)
            evaluated[i] = replace(evaluated[i], truths=truths, errors=errors)
    return tuple(evaluated)


def compute_pose_errors(est: Array, gt: Array, eval_model: EvalModel, K: Array,
                        depth: NDArray[np.floating] | None = None) -> dict[str, Array]:
    """Errors of E estimates against G ground-truth poses of one object by name: (E, G), or (E, G, T) with tolerances.

    Translation (metres) and rotation (radians) are those from the symmetric equivalent of the ground truth that is
    nearest in rotation. Center (metres) is the distance between the centres of the surface: unlike the translation,
    which is that of the origin, it is not changed by a turn of the object about itself. All other errors are those of
    the registered metrics.
    """
    pairs = PosePairs(est, gt, eval_model, K, depth)
    nearest = pose_errors.nearest_equivalent(*pairs.flat, eval_model.symmetries)
    table = {"translation": pairs.table(pose_errors.translation_error(pairs.flat[0], nearest)),
             "rotation": pairs.table(pose_errors.rotation_error(pairs.flat[0], nearest)),
             "center": pairs.table(pose_errors.point_error(*pairs.flat, eval_model.center))}
    for metric in load_metrics():
        table |= metric.errors(pairs)
    return table


def _certainty_errors(estimate: EvaluatedEstimate, pose: Array, gt: Array, eval_model: EvalModel,
                      covariance: Array | None) -> dict[str, Array]:
    """What `evaluation.certainty` needs: Mahalanobis distance and NLL (G,), MSSD of alternative poses (G, A)."""
    errors: dict[str, Array] = {}
    if covariance is not None:
        pairs = [likelihood(pose, truth, covariance, eval_model.symmetries) for truth in gt]
        errors["mahalanobis"], errors["nll"] = np.array(pairs).T
    if estimate.alternatives:
        vertices, alternatives = eval_model.model.mesh.vertices, np.stack(estimate.alternatives)
        errors["alternatives"] = np.stack([pose_errors.mssd(alternatives, truth, vertices, eval_model.symmetries)
                                           for truth in gt])
    return errors


def likelihood(est: Array, gt: Array, covariance: Array, symmetries: Array) -> tuple[float, float]:
    """Squared Mahalanobis distance and -log N(gt; est, covariance) in nats, of the nearest symmetric equivalent of gt.

    Both are infinite where the covariance is not positive definite.
    """
    twist = difference(pose_errors.nearest_equivalent(est, gt, symmetries)[0], est)
    try:
        whitened = np.linalg.solve(factor := np.linalg.cholesky(covariance), twist)
    except np.linalg.LinAlgError:
        return float("inf"), float("inf")
    squared = float(whitened @ whitened)
    return squared, squared / 2 + float(np.log(np.diag(factor)).sum()) + 3 * float(np.log(2 * np.pi))
