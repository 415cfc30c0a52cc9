"""Affine resampling, the one way in which pictures and label maps are cut here."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

BORDER = (114, 114, 114)  # grey, where a picture has no more pixels; the same at inference


def warp(
    image: NDArray[Any], matrix: NDArray[np.float64], width: int, height: int, mirrored: bool = False
) -> NDArray[Any]:
    """A picture (H, W[, 3]) resampled bilinearly by a 3x3 matrix (output from input pixels), outside of it grey, or
    the picture mirrored at its edge."""
    border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
    return np.asarray(cv2.warpAffine(image, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=border,
                                     borderValue=BORDER))


def warp_labels(labels: NDArray[Any], matrix: NDArray[np.float64], side: int) -> NDArray[Any]:
    """A label or depth map resampled to (side, side), each pixel one of the input's (nearest), 0 outside."""
    return np.asarray(cv2.warpAffine(labels, matrix[:2], (side, side), flags=cv2.INTER_NEAREST))
