"""FrameResult as ROS 2 messages, without ROS: definitions (common_interfaces, vision_msgs 4) and plain dictionaries."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np

from posebot.core.results import FrameResult, PoseEstimate
from posebot.core.transforms import Array, quaternion_from_rotation, rotate_covariance

_SEPARATOR = "=" * 80
_TIME = ("builtin_interfaces/Time", "int32 sec\nuint32 nanosec")
_HEADER = ("std_msgs/Header", "builtin_interfaces/Time stamp\nstring frame_id")
_POINT = ("geometry_msgs/Point", "float64 x\nfloat64 y\nfloat64 z")
_VECTOR = ("geometry_msgs/Vector3", "float64 x\nfloat64 y\nfloat64 z")
_QUATERNION = ("geometry_msgs/Quaternion", "float64 x\nfloat64 y\nfloat64 z\nfloat64 w")
_POSE = ("geometry_msgs/Pose", "geometry_msgs/Point position\ngeometry_msgs/Quaternion orientation")
_POSE_COVARIANCE = ("geometry_msgs/PoseWithCovariance", "geometry_msgs/Pose pose\nfloat64[36] covariance")
_HYPOTHESIS = ("vision_msgs/ObjectHypothesis", "string class_id\nfloat64 score")
_HYPOTHESIS_POSE = ("vision_msgs/ObjectHypothesisWithPose",
                    "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose")
_BOX = ("vision_msgs/BoundingBox3D", "geometry_msgs/Pose center\ngeometry_msgs/Vector3 size")
_DETECTION = ("vision_msgs/Detection3D", "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
              "vision_msgs/BoundingBox3D bbox\nstring id")


def _definition(top: str, *parts: tuple[str, str]) -> str:
    return f"\n{_SEPARATOR}\n".join([top, *(f"MSG: {name}\n{text}" for name, text in parts)])


POSE_TYPE, DETECTIONS_TYPE = "geometry_msgs/msg/PoseWithCovarianceStamped", "vision_msgs/msg/Detection3DArray"
DEFINITIONS = {
    POSE_TYPE: _definition("std_msgs/Header header\ngeometry_msgs/PoseWithCovariance pose",
                           _HEADER, _TIME, _POSE_COVARIANCE, _POSE, _POINT, _QUATERNION),
    DETECTIONS_TYPE: _definition("std_msgs/Header header\nvision_msgs/Detection3D[] detections", _HEADER, _TIME,
                                 _DETECTION, _HYPOTHESIS_POSE, _HYPOTHESIS, _POSE_COVARIANCE, _POSE, _POINT,
                                 _QUATERNION, _BOX, _VECTOR),
}


def detections(result: FrameResult, boxes: dict[int, tuple[Array, Array]], camera: str) -> dict[str, Any]:
    """Detection3DArray of every estimate that has a pose, in the base frame `base` where it is known, else in `camera`.

    Args:
        boxes: centre and size (3,) metres of each object's bounding box, by obj_id.
    """
    found = [estimate for estimate in result.estimates if estimate.cam_from_obj is not None]
    based = bool(found) and all(estimate.base_from_obj is not None for estimate in found)
    header = _header(result, "base" if based else camera)
    entries = []
    for estimate in found:
        pose, covariance = _placed(estimate, based)
        center, size = boxes[estimate.obj_id]
        middle = pose.copy()
        middle[:3, 3] = pose[:3, :3] @ center + pose[:3, 3]
        score = estimate.score if isnan(estimate.p_correct) else estimate.p_correct
        hypothesis = {"class_id": estimate.label, "score": score}
        entries.append({
            "header": header, "id": "" if estimate.track_id is None else str(estimate.track_id),
            "results": [{"hypothesis": hypothesis, "pose": {"pose": _pose(pose), "covariance": covariance}}],
            "bbox": {"center": _pose(middle), "size": _xyz(size)}})
    return {"header": header, "detections": entries}


def stamped_pose(result: FrameResult, estimate: PoseEstimate, camera: str) -> dict[str, Any]:
    """PoseWithCovarianceStamped of an estimate with a pose."""
    based = estimate.base_from_obj is not None
    pose, covariance = _placed(estimate, based)
    return {"header": _header(result, "base" if based else camera),
            "pose": {"pose": _pose(pose), "covariance": covariance}}


def _placed(estimate: PoseEstimate, based: bool) -> tuple[Array, list[float]]:
    """Pose, and covariance along the axes of the frame it is in; unknown covariance is zero, as in ROS."""
    cam_from_obj, base_from_obj = estimate.cam_from_obj, estimate.base_from_obj
    assert cam_from_obj is not None
    covariance = np.zeros((6, 6)) if estimate.covariance is None else estimate.covariance
    if not based or base_from_obj is None:
        return cam_from_obj, covariance.ravel().tolist()
    base_from_cam = base_from_obj[:3, :3] @ cam_from_obj[:3, :3].T
    return base_from_obj, rotate_covariance(base_from_cam, covariance).ravel().tolist()


def _header(result: FrameResult, frame: str) -> dict[str, Any]:
    seconds, nanoseconds = divmod(round(result.captured_at * 1e9), 10**9)
    return {"stamp": {"sec": seconds, "nanosec": nanoseconds}, "frame_id": frame}


def _pose(pose: Array) -> dict[str, Any]:
    x, y, z, w = quaternion_from_rotation(pose[:3, :3]).tolist()
    return {"position": _xyz(pose[:3, 3]), "orientation": {"x": x, "y": y, "z": z, "w": w}}


def _xyz(vector: Array) -> dict[str, float]:
    x, y, z = vector.tolist()
    return {"x": x, "y": y, "z": z}
