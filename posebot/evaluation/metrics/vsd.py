"""VSD, the visible surface discrepancy of the BOP challenge (step cost, "bop19" visibility).

Definition: Hodan et al., "BOP Challenge 2020 on 6D Object Localization", section 2.2; Hodan et al., "BOP: Benchmark for
6D Object Pose Estimation", ECCV 2018, section 3.2. *Distance* images (length of the ray) are compared, not depth.

Difference to the reference: meshes are rendered here at integer pixel centres, as K is defined. The reference toolkit
renders half a pixel off, on a GPU, in float32. Pixels on the silhouette differ, so VSD errors agree to about 0.002
(the largest change of a half-pixel shift on ten YCB-Video instances), not to 1e-6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.depth_renderer import Window, distances, render_depth
from posebot.evaluation.metrics.metric import Metric, PosePairs

TAUS = np.arange(0.05, 0.51, 0.05)
"""Misalignment tolerances of BOP, in diameters."""
VSD_THRESHOLDS = np.arange(0.05, 0.51, 0.05)
DELTA = 0.015
"""Tolerance of the visibility test in metres (BOP: 15 mm everywhere but on ITODD, 5 mm)."""

Rendering = tuple[Array, Window]


class Vsd(Metric):
    """Share of the visible surface that is missing or misaligned, over ten tolerances and ten thresholds."""

    name = "VSD"
    counts_to_ar = True
    requires_depth = True
    tolerances = len(TAUS)

    def errors(self, pairs: PosePairs) -> dict[str, Array]:
        if pairs.depth is None:
            return {}
        return {"vsd": vsd(pairs.est, pairs.gt, pairs.eval_model.model, pairs.K, pairs.depth)}

    def thresholds(self, model: ObjectModel) -> Array:
        return VSD_THRESHOLDS


def vsd(cam_from_obj_est: Array, cam_from_obj_gt: Array, model: ObjectModel, K: Array, depth: NDArray[np.floating],
        taus: Array = TAUS, delta: float = DELTA) -> Array:
    """VSD errors (E, G, T) in 0..1 of all pairs of estimates (E, 4, 4) and ground-truth poses (G, 4, 4).

    Args:
        depth: sensor depth (H, W) along z in metres; 0 = no reading, which counts as visible.
        taus: (T,), diameters. delta: metres.
    """
    sensor = distances(depth, K)
    rendered_gt = [_render(model, pose, K, depth.shape) for pose in cam_from_obj_gt]
    result = np.ones((len(cam_from_obj_est), len(rendered_gt), len(taus)))
    for row, pose in zip(result, cam_from_obj_est):
        rendered_est = _render(model, pose, K, depth.shape)
        for cell, truth in zip(row, rendered_gt):
            cell[:] = _discrepancy(sensor, rendered_est, truth, delta, taus * model.diameter)
    return result


def _render(model: ObjectModel, pose: Array, K: Array, shape: tuple[int, ...]) -> Rendering:
    depth, window = render_depth(model.mesh, pose, K, shape[1], shape[0])
    return distances(depth, K), window


def _discrepancy(sensor: Array, est: Rendering, gt: Rendering, delta: float, tolerances: Array) -> Array:
    """Share (T,) of the union of both visible surfaces that is not in both, or is apart by the tolerance or more."""
    window = _union(est[1], gt[1])
    seen, d_est, d_gt = sensor[window], est[0][window], gt[0][window]
    visible_gt = _visible(seen, d_gt, delta)
    visible_est = _visible(seen, d_est, delta) | (visible_gt & (d_est > 0))
    both, either = visible_gt & visible_est, np.count_nonzero(visible_gt | visible_est)
    if not either:
        return np.ones(len(tolerances))
    apart = np.abs(d_gt[both] - d_est[both])
    wrong = (apart >= tolerances[:, None]).sum(axis=1)
    return (wrong + either - len(apart)) / either


def _visible(sensor: Array, rendered: Array, delta: float) -> NDArray[np.bool_]:
    return (rendered > 0) & ((rendered - sensor <= delta) | (sensor == 0))


def _union(a: Window, b: Window) -> Window:
    if a[0].stop == a[0].start:
        return b
    if b[0].stop == b[0].start:
        return a
    rows, columns = (slice(min(x.start, y.start), max(x.stop, y.stop)) for x, y in zip(a, b))
    return rows, columns
