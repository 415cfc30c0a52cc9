"""Errors between an estimated and a ground-truth pose, as defined by the BOP challenge.

Definitions: Hodan et al., "BOP Challenge 2020 on 6D Object Localization", section 2.2 (MSSD, MSPD); Hinterstoisser et
al., "Model based training, detection and pose estimation of texture-less 3D objects", ACCV 2012 (ADD, ADI). VSD needs
depth images, see `evaluation.metrics.vsd`.

All functions take N estimates and N ground-truth poses, (N, 4, 4) or (4, 4) each, metres, which broadcast, and return
(N,). Poses are used as they are: published ground truth is not always exactly orthonormal, and BOP does not correct it.
`symmetries` is (S, 4, 4) in the object's frame, the identity among them (`ObjectModel.symmetry_transforms(BOP_STEPS)`).

MSSD and MSPD are a minimum over symmetries of a maximum over vertices. The maximum over a few probe vertices is a lower
bound of the maximum over all, so symmetries are evaluated in the order of their bound until no bound is below the best
full value (branch and bound): the result is exact, and few of 315 rotations are computed over the whole mesh.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, pi

import numpy as np

from posebot.core.transforms import Array, apply, rotation_angle, sphere

BOP_STEPS = ceil(pi / 0.01)
"""Rotations by which BOP discretises a continuous symmetry (the farthest vertex moves 1 % of the diameter)."""

_CHUNK = 2_000_000  # points per batch: about 50 MB per array of coordinates
_PROBES = 48

Distance = Callable[[Array, Array, Array], Array]


def mssd(cam_from_obj_est: Array, cam_from_obj_gt: Array, vertices: Array, symmetries: Array) -> Array:
    """Maximum symmetry-aware surface distance (N,), metres: min over symmetries of max over vertices (V, 3)."""
    return _minimax(cam_from_obj_est, cam_from_obj_gt, vertices, symmetries, _surface_distance)


def mspd(cam_from_obj_est: Array, cam_from_obj_gt: Array, K: Array, vertices: Array, symmetries: Array) -> Array:
    """Maximum symmetry-aware projection distance (N,), pixels of the image that K (3, 3) belongs to.

    The thresholds of BOP are for images 640 pixels wide: multiply by 640 / width before comparing.
    A vertex at depth 0 gives infinity.
    """
    def distance(est: Array, gt: Array, points: Array) -> Array:
        return _pixel_distance(K, est, gt, points)

    return _minimax(cam_from_obj_est, cam_from_obj_gt, vertices, symmetries, distance)


def add(cam_from_obj_est: Array, cam_from_obj_gt: Array, vertices: Array) -> Array:
    """Average distance (N,), metres, between each vertex (V, 3) in the two poses."""
    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    chunks = _chunks(len(est), len(vertices))
    return np.concatenate([_surface_distance(est[c], gt[c], vertices).mean(axis=-1) for c in chunks])


def adi(cam_from_obj_est: Array, cam_from_obj_gt: Array, vertices: Array) -> Array:
    """Average distance (N,), metres, from each vertex of the ground truth to the nearest of the estimate (ADD-S)."""
    from scipy.spatial import cKDTree

    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    # each tree is queried only once
    trees = (cKDTree(_transformed(e, vertices), compact_nodes=False, balanced_tree=False) for e in est)
    return np.array([tree.query(_transformed(g, vertices))[0].mean() for tree, g in zip(trees, gt)])


def translation_error(cam_from_obj_est: Array, cam_from_obj_gt: Array) -> Array:
    """Distance (N,) between the object's origin in the two poses, metres."""
    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    return np.linalg.norm(est[:, :3, 3] - gt[:, :3, 3], axis=-1)


def point_error(cam_from_obj_est: Array, cam_from_obj_gt: Array, point: Array) -> Array:
    """Distance (N,) between a point (3,) of the object in the two poses, metres."""
    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    return np.linalg.norm(apply(est - gt, point[None])[:, 0], axis=-1)


def rotation_error(cam_from_obj_est: Array, cam_from_obj_gt: Array, symmetries: Array | None = None) -> Array:
    """Smallest angle (N,) in radians between the estimated rotation and a symmetric equivalent of the ground truth.

    Without `symmetries` it is the angle between both. A continuous symmetry in n steps leaves an error up to pi / n
    (0.6 degrees for BOP_STEPS).
    """
    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    if symmetries is not None:
        gt = nearest_equivalent(est, gt, symmetries)
    return rotation_angle(est[:, :3, :3], gt[:, :3, :3])


def nearest_equivalent(cam_from_obj_est: Array, cam_from_obj_gt: Array, symmetries: Array) -> Array:
    """The symmetric equivalents (N, 4, 4) of the ground-truth poses with the rotation nearest to the estimate."""
    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    chosen = [np.einsum("nij,nik,skj->ns", est[c, :3, :3], gt[c, :3, :3], symmetries[:, :3, :3]).argmax(axis=1)
              for c in _chunks(len(est), len(symmetries))]  # trace of the relative rotation: largest where nearest
    return gt @ symmetries[np.concatenate(chosen)]


def _minimax(est: Array, gt: Array, vertices: Array, symmetries: Array, distance: Distance) -> Array:
    """min over symmetries of max over vertices of `distance`, (N,). The search is described at the top."""
    est, gt = _pairs(est, gt)
    probes = _extreme_vertices(_VerticesKey(vertices)) if len(symmetries) > 1 else vertices[:1]
    bound = np.concatenate([distance(est[c, None], gt[c, None] @ symmetries, probes).max(axis=-1)
                            for c in _chunks(len(est), len(symmetries) * len(probes))])
    best = np.full(len(est), np.inf)
    active = np.arange(len(est))
    while active.size:
        chosen = bound[active].argmin(axis=1)
        for c in _chunks(len(active), len(vertices)):
            rows = active[c]
            full = distance(est[rows], gt[rows] @ symmetries[chosen[c]], vertices).max(axis=-1)
            best[rows] = np.minimum(best[rows], full)
        bound[active, chosen] = np.inf
        active = active[bound[active].min(axis=1) < best[active]]
    return best


def _pairs(est: Array, gt: Array) -> tuple[Array, Array]:
    est, gt = np.broadcast_arrays(np.asarray(est, dtype=float), np.asarray(gt, dtype=float))
    return est.reshape(-1, 4, 4), gt.reshape(-1, 4, 4)


def _chunks(count: int, points_each: int) -> list[slice]:
    step = max(1, _CHUNK // max(points_each, 1))
    return [slice(start, start + step) for start in range(0, max(count, 1), step)]


def _transformed(pose: Array, points: Array) -> Array:
    """Points (V, 3) under poses (..., 4, 4), (..., V, 3); `pose` may be a difference of poses."""
    return points @ np.swapaxes(pose[..., :3, :3], -1, -2) + pose[..., None, :3, 3]


def _surface_distance(est: Array, gt: Array, points: Array) -> Array:
    return np.linalg.norm(_transformed(est - gt, points), axis=-1)


def _pixel_distance(K: Array, est: Array, gt: Array, points: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = _projected(K, est, points) - _projected(K, gt, points)
    return np.nan_to_num(np.linalg.norm(offset, axis=-1), nan=np.inf, posinf=np.inf)


def _projected(K: Array, pose: Array, points: Array) -> Array:
    """Pixels (..., V, 2); unlike `core.camera.project` it also divides by z <= 0, as BOP does."""
    homogeneous = _transformed(K @ pose[..., :3, :], points)
    return homogeneous[..., :2] / homogeneous[..., 2:]


class _VerticesKey:
    """Vertices as a cache key, compared by identity."""

    def __init__(self, vertices: Array) -> None:
        self.vertices = vertices

    def __hash__(self) -> int:
        return id(self.vertices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _VerticesKey) and other.vertices is self.vertices


@lru_cache(maxsize=64)
def _extreme_vertices(key: _VerticesKey) -> Array:
    """Up to _PROBES vertices that are extreme in uniformly distributed directions."""
    return key.vertices[np.unique((key.vertices @ sphere(_PROBES).T).argmax(axis=0))]
