"""Lens distortion is removed here, once for each frame, before any other stage."""

from __future__ import annotations

import cv2
import numpy as np

from posebot.core.frame import Frame


def undistort(frame: Frame) -> Frame:
    """The frame without lens distortion, with the same K; the frame itself if its camera has none.

    Colour is interpolated, depth takes the nearest reading.
    """
    camera = frame.camera
    if not camera.distorted:
        return frame
    maps = cv2.initUndistortRectifyMap(camera.K, camera.distortion, None, camera.K, (camera.width, camera.height),
                                       cv2.CV_32FC1)
    rgb = cv2.remap(frame.rgb, maps[0], maps[1], cv2.INTER_LINEAR)
    depth = None
    if frame.depth is not None:
        depth = cv2.remap(frame.depth, maps[0], maps[1], cv2.INTER_NEAREST).astype(np.float32, copy=False)
    return Frame(rgb.astype(np.uint8, copy=False), camera.undistorted(), depth, frame.base_from_cam, frame.frame_id,
                 frame.captured_at)
