"""Errors between an estimated and a true pose, as the BOP challenge defines them.

Definitions: Hodan et al., "BOP Challenge 2020 on 6D Object Localization", section 2.2 (MSSD, MSPD); Hinterstoisser et
al., "Model based training, detection and pose estimation of texture-less 3D objects", ACCV 2012 (ADD, ADI). VSD needs
depth images and lives in `evaluation.vsd`.

Every function takes N estimates and N truths, each (N, 4, 4) or (4, 4), metres, which broadcast against each other, and
returns (N,). Poses are used as they are: published truth is not always exactly orthonormal, and BOP does not mend it.
`symmetries` is (S, 4, 4) in the object's frame, the identity among them (`ObjectModel.symmetry_transforms(BOP_STEPS)`).

MSSD and MSPD are a minimum over symmetries of a maximum over vertices. The maximum over a few probe vertices is a lower
bound of the maximum over all, so symmetries are opened in the order of their bound until no bound is below the best
full value: the result is exact, and of 315 rotations only a handful is ever computed over the whole mesh.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, pi

import numpy as np

from posebot.core.transforms import Array, rotation_angle, sphere

BOP_STEPS = ceil(pi / 0.01)
"""Rotations into which BOP's evaluation cuts a continuous symmetry (the farthest vertex moves 1 % of the diameter)."""

_CHUNK = 2_000_000  # points in flight: about 50 MB per array of coordinates
_PROBES = 48

Distance = Callable[[Array, Array, Array], Array]


def mssd(cam_from_obj_est: Array, cam_from_obj_gt: Array, vertices: Array, symmetries: Array) -> Array:
    """Maximum symmetry-aware surface distance (N,), metres: min over symmetries of max over vertices (V, 3)."""
    return _minimax(cam_from_obj_est, cam_from_obj_gt, vertices, symmetries, _surface_distance)


def mspd(cam_from_obj_est: Array, cam_from_obj_gt: Array, K: Array, vertices: Array, symmetries: Array) -> Array:
    """Maximum symmetry-aware projection distance (N,), pixels of the picture that K (3, 3) belongs to.

    BOP's thresholds are for pictures 640 pixels wide: multiply by 640 / width before comparing with them.
    A vertex in the camera's own plane gives infinity.
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
    """Average distance (N,), metres, from each vertex in the true pose to the nearest in the estimated pose (ADD-S)."""
    from scipy.spatial import cKDTree

    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    trees = (cKDTree(_moved(e, vertices), compact_nodes=False, balanced_tree=False) for e in est)  # asked only once
    return np.array([tree.query(_moved(g, vertices))[0].mean() for tree, g in zip(trees, gt)])


def translation_error(cam_from_obj_est: Array, cam_from_obj_gt: Array) -> Array:
    """Distance (N,) between the object's origin in the two poses, metres."""
    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    return np.linalg.norm(est[:, :3, 3] - gt[:, :3, 3], axis=-1)


def rotation_error(cam_from_obj_est: Array, cam_from_obj_gt: Array, symmetries: Array | None = None) -> Array:
    """Smallest angle (N,) in radians between the estimated rotation and a symmetric equivalent of the true one.

    Without `symmetries` this is the plain angle between both. A continuous symmetry that is cut into n steps leaves up
    to pi / n (0.6 degrees for BOP_STEPS).
    """
    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    if symmetries is not None:
        gt = nearest_equivalent(est, gt, symmetries)
    return rotation_angle(est[:, :3, :3], gt[:, :3, :3])


def nearest_equivalent(cam_from_obj_est: Array, cam_from_obj_gt: Array, symmetries: Array) -> Array:
    """The symmetric equivalents (N, 4, 4) of the true poses whose rotations are nearest to the estimated ones."""
    est, gt = _pairs(cam_from_obj_est, cam_from_obj_gt)
    chosen = [np.einsum("nij,nik,skj->ns", est[c, :3, :3], gt[c, :3, :3], symmetries[:, :3, :3]).argmax(axis=1)
              for c in _chunks(len(est), len(symmetries))]  # the trace of the relative rotation: largest where nearest
    return gt @ symmetries[np.concatenate(chosen)]


def _minimax(est: Array, gt: Array, vertices: Array, symmetries: Array, distance: Distance) -> Array:
    """min over symmetries of max over vertices of `distance`, (N,). See the module's text for the search."""
    est, gt = _pairs(est, gt)
    probes = _extreme(_Key(vertices)) if len(symmetries) > 1 else vertices[:1]
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


def _moved(pose: Array, points: Array) -> Array:
    """Points (V, 3) under poses (..., 4, 4), (..., V, 3); `pose` may be a difference of poses."""
    return points @ np.swapaxes(pose[..., :3, :3], -1, -2) + pose[..., None, :3, 3]


def _surface_distance(est: Array, gt: Array, points: Array) -> Array:
    return np.linalg.norm(_moved(est - gt, points), axis=-1)


def _pixel_distance(K: Array, est: Array, gt: Array, points: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = _projected(K, est, points) - _projected(K, gt, points)
    return np.nan_to_num(np.linalg.norm(offset, axis=-1), nan=np.inf, posinf=np.inf)


def _projected(K: Array, pose: Array, points: Array) -> Array:
    """Pixels (..., V, 2); unlike `core.camera.project` it also divides by a z that is not positive, as BOP does."""
    homogeneous = _moved(K @ pose[..., :3, :], points)
    return homogeneous[..., :2] / homogeneous[..., 2:]


class _Key:
    """Vertices as a dictionary key: by identity, for a mesh is asked about thousands of times."""

    def __init__(self, vertices: Array) -> None:
        self.vertices = vertices

    def __hash__(self) -> int:
        return id(self.vertices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.vertices is self.vertices


@lru_cache(maxsize=64)
def _extreme(key: _Key) -> Array:
    """Up to _PROBES vertices that lie farthest out in evenly spread directions."""
    return key.vertices[np.unique((key.vertices @ sphere(_PROBES).T).argmax(axis=0))]
