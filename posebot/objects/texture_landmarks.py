"""Texture landmarks: local features (keypoints and descriptors) of an object's texture, and their file format.

Descriptors are RootSIFT: SIFT (Lowe, "Distinctive image features from scale-invariant keypoints", 2004), L1-normalised
and square-rooted (Arandjelović, Zisserman, "Three things everyone should know to improve object retrieval", 2012).
Their dot product is a similarity: 1 for identical ones, about 0.6 for two at random.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import MeshError
from posebot.core.objects import Landmarks

DESCRIPTOR_SIZE = 128
Pixels = NDArray[np.float32]


def detect_and_compute(rgb: NDArray[Any], max_keypoints: int, mask: NDArray[np.uint8] | None = None
                       ) -> tuple[Pixels, Pixels, NDArray[np.uint8]]:
    """Detect the strongest keypoints of an image: pixels (N, 2), responses (N,) and descriptors uint8 (N, 128).

    Args:
        rgb: uint8 (H, W, 3). mask: (H, W), nonzero where keypoints are detected.
    """
    import cv2  # not needed to read landmarks

    sift = cv2.SIFT.create(nfeatures=max_keypoints, contrastThreshold=0.02)
    keypoints, descriptors = sift.detectAndCompute(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), mask)
    if descriptors is None or not len(keypoints):
        return np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros((0, DESCRIPTOR_SIZE), np.uint8)
    root_sift = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    pixels = np.array([keypoint.pt for keypoint in keypoints], np.float32)
    responses = np.array([keypoint.response for keypoint in keypoints], np.float32)
    return pixels, responses, np.rint(255 * root_sift).astype(np.uint8)


def normalise_descriptors(descriptors: NDArray[np.uint8]) -> Pixels:
    """Descriptors (N, 128) as unit vectors, float32, so that dot products are cosine similarities."""
    values = descriptors.astype(np.float32)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.float32(1e-6)))


def write_landmarks(path: Path, landmarks: Landmarks) -> None:
    """Write landmarks to an `.npz` file."""
    arrays: dict[str, Any] = {"points": landmarks.points, "descriptors": landmarks.descriptors,
                              "directions": landmarks.directions.astype(np.float16)}
    np.savez_compressed(path, **arrays)


def read_landmarks(path: Path) -> Landmarks:
    """Read landmarks from an `.npz` file.

    Raises:
        InputError: the file is unreadable, or its arrays are missing or of the wrong shape.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            landmarks = Landmarks(arrays["points"].astype(np.float32), arrays["directions"].astype(np.float32),
                                  arrays["descriptors"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        raise MeshError(path, "is not a valid landmark file", "an .npz file written by posebot train") from None
    count = len(landmarks.points)
    if landmarks.points.shape != (count, 3) or landmarks.directions.shape != (count, 3) \
            or landmarks.descriptors.shape != (count, DESCRIPTOR_SIZE) or landmarks.descriptors.dtype != np.uint8:
        raise MeshError(path, "landmark arrays have the wrong shape",
                         f"(K, 3), (K, 3) and uint8 (K, {DESCRIPTOR_SIZE})")
    return landmarks
