"""Frame: one image with everything that came with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.equality import ArrayEquality
from posebot.core.errors import DepthError, ImageError, IntrinsicsError, PoseError
from posebot.core.transforms import Array, is_transform


@dataclass(frozen=True, eq=False, repr=False)
class Frame(ArrayEquality):
    """One image and what came with it.

    Attributes:
        rgb: uint8 (H, W, 3), red first. camera: intrinsics of exactly this image.
        depth: float32 (H, W) metres along z, registered to rgb; 0 = no reading. None: the camera has no depth.
        base_from_cam: 4x4, the camera's pose in the robot's base frame at `captured_at`, or None if unknown.
        frame_id: "000002/000038" (BOP scene/image) or "wrist/1042" (source/number).
        captured_at: seconds since the epoch (UTC).
    Raises:
        InputError: the arrays' types or shapes do not fit each other.
    """

    rgb: NDArray[np.uint8]
    camera: Camera
    depth: NDArray[np.float32] | None = None
    base_from_cam: Array | None = None
    frame_id: str = ""
    captured_at: float = 0.0

    def __post_init__(self) -> None:
        where = f"frame {self.frame_id or '(unnamed)'}"
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8:
            raise ImageError(where, f"rgb is {self.rgb.dtype} {self.rgb.shape}", "uint8 (height, width, 3)")
        height, width = self.rgb.shape[:2]
        if (width, height) != (self.camera.width, self.camera.height):
            camera_size = f"{self.camera.width}x{self.camera.height}"
            raise IntrinsicsError(where, f"image is {width}x{height}, camera says {camera_size}",
                                  "intrinsics must belong to this image size")
        if self.depth is not None and (self.depth.shape != (height, width) or self.depth.dtype != np.float32):
            raise DepthError(where, f"depth is {self.depth.dtype} {self.depth.shape}",
                             f"float32 ({height}, {width}), metres")
        if self.base_from_cam is not None and not is_transform(self.base_from_cam):
            raise PoseError(where, "base_from_cam is not a rigid transform", "4x4, orthonormal rotation, metres")

    def __repr__(self) -> str:
        parts = [repr(self.frame_id), f"{self.camera.width}x{self.camera.height}"]
        if self.depth is not None:
            valid = self.depth[np.isfinite(self.depth) & (self.depth > 0)]
            parts.append(f"depth {valid.min():.3f}..{valid.max():.3f} m" if valid.size else "depth empty")
        if self.base_from_cam is not None:
            parts.append("base_from_cam")
        return f"Frame({', '.join(parts)})"
