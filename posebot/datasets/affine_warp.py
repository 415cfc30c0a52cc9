"""Affine image warping: the only resampling of images and label maps in the training pipeline."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

BORDER_COLOR = (114, 114, 114)  # grey outside the image; the same at inference


def warp_image(
    image: NDArray[Any], matrix: NDArray[np.float64], width: int, height: int, reflect: bool = False
) -> NDArray[Any]:
    """Warp an image (H, W[, 3]) bilinearly by a 3x3 matrix (output from input pixels).

    The border is grey, or with `reflect` the mirrored image.
    """
    border = cv2.BORDER_REFLECT_101 if reflect else cv2.BORDER_CONSTANT
    return np.asarray(cv2.warpAffine(image, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=border,
                                     borderValue=BORDER_COLOR))


def warp_labels(labels: NDArray[Any], matrix: NDArray[np.float64], side: int) -> NDArray[Any]:
    """Warp a label or depth map to (side, side) by nearest neighbour; 0 outside."""
    return np.asarray(cv2.warpAffine(labels, matrix[:2], (side, side), flags=cv2.INTER_NEAREST))
