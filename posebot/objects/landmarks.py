"""Landmarks of an object's print: how a place in a picture is described, and the file that holds an object's.

Descriptors are SIFT (Lowe, "Distinctive image features from scale-invariant keypoints", 2004) as square roots of
shares (Arandjelović, Zisserman, "Three things everyone should know to improve object retrieval", 2012), so that their
product is a similarity: 1 for the same, some 0.6 for any two.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import MeshError
from posebot.core.objects import Landmarks

SIZE = 128
Pixels = NDArray[np.float32]


def describe(rgb: NDArray[Any], most: int, mask: NDArray[np.uint8] | None = None
             ) -> tuple[Pixels, Pixels, NDArray[np.uint8]]:
    """The `most` clearest key points of a picture: their pixels (N, 2), strengths (N,) and descriptors (N, 128).

    Args:
        rgb: uint8 (H, W, 3). mask: (H, W), not 0 where they may lie.
    """
    import cv2  # who only reads landmarks need not wait for it

    finder = cv2.SIFT.create(nfeatures=most, contrastThreshold=0.02)
    keys, found = finder.detectAndCompute(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), mask)
    if found is None or not len(keys):
        return np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros((0, SIZE), np.uint8)
    shares = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-6))
    places = np.array([key.pt for key in keys], np.float32)
    return places, np.array([key.response for key in keys], np.float32), np.rint(255 * shares).astype(np.uint8)


def unit(descriptors: NDArray[np.uint8]) -> Pixels:
    """Descriptors (N, 128) as unit vectors, float32: their dot products are similarities."""
    values = descriptors.astype(np.float32)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.float32(1e-6)))


def write_landmarks(path: Path, landmarks: Landmarks) -> None:
    """Write an `.npz` file."""
    arrays: dict[str, Any] = {"points": landmarks.points, "descriptors": landmarks.descriptors,
                              "directions": landmarks.directions.astype(np.float16)}
    np.savez_compressed(path, **arrays)


def read_landmarks(path: Path) -> Landmarks:
    """Read what `write_landmarks` wrote. Raises InputError where the file holds something else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = Landmarks(arrays["points"].astype(np.float32), arrays["directions"].astype(np.float32),
                              arrays["descriptors"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        raise MeshError(path, "holds no landmarks", "the file that posebot train writes beside the mesh") from None
    count = len(found.points)
    if found.points.shape != (count, 3) or found.directions.shape != (count, 3) \
            or found.descriptors.shape != (count, SIZE) or found.descriptors.dtype != np.uint8:
        raise MeshError(path, "holds landmarks of another form", f"(K, 3), (K, 3) and uint8 (K, {SIZE})")
    return found
