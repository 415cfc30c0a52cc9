"""Calibration files: `camera.yaml`, which `posebot infer --camera` reads, and `hand_eye.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from posebot.config import read_document, validate
from posebot.core.errors import CalibrationError
from posebot.core.files import write_atomic
from posebot.core.transforms import Array, quaternion_from_rotation
from posebot.robots.camera_calibration import CameraCalibration
from posebot.robots.hand_eye import HandEyeResult
from posebot.robots.pose_formats import parse_matrix
from posebot.robots.views import Mode

SCHEMA = 1
_MOUNT: dict[Mode, str] = {"eye-in-hand": "gripper_from_cam", "eye-to-hand": "base_from_cam"}
_FIXTURE: dict[Mode, str] = {"eye-in-hand": "base_from_target", "eye-to-hand": "gripper_from_target"}


Matrix = list[list[float]]


class _Noise(BaseModel):
    arm_mm: float | None = None
    arm_deg: float | None = None


class HandEyeFile(BaseModel):
    """`hand_eye.yaml`: the keys that are read. `posebot calibrate hand-eye` writes more, for people."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    schema_version: Literal[1] = Field(alias="schema")
    """Version of the format."""
    mode: Mode
    """eye-in-hand: camera on the gripper; eye-to-hand: static camera."""
    gripper_from_cam: Matrix | list[float] | None = None
    """4x4, metres; eye-in-hand."""
    base_from_cam: Matrix | list[float] | None = None
    """4x4, metres; eye-to-hand."""
    covariance: Matrix = Field(default_factory=lambda: np.zeros((6, 6)).tolist())
    """6x6 of the pose (x, y, z, rx, ry, rz), metres and radians."""
    noise: _Noise | None = None
    """Standard deviations; arm_mm and arm_deg of the robot."""

    @field_validator("covariance")
    @classmethod
    def _check_covariance(cls, value: Matrix) -> Matrix:
        if len(value) != 6 or any(len(row) != 6 for row in value) or not np.isfinite(value).all():
            raise ValueError("not a finite 6x6 matrix; 6 rows of 6 numbers")
        return value


@dataclass(frozen=True)
class HandEyeCalibration:
    """A hand-eye calibration read from its file.

    Attributes:
        mode, pose: gripper_from_cam (eye-in-hand) or base_from_cam (eye-to-hand), 4x4.
        covariance: 6x6 of the pose, as in `core.results`. arm: estimated standard deviations of the robot's poses per
            axis, metres and radians.
    """

    mode: Mode
    pose: Array
    covariance: Array
    arm: tuple[float, float] = (0.0, 0.0)

    def base_from_cam(self, base_from_gripper: Array | None = None) -> Array:
        """Pose of the camera, 4x4; for eye-in-hand from the robot pose at the time of the image.

        Raises:
            InputError: eye-in-hand without a robot pose.
        """
        if self.mode == "eye-to-hand":
            return self.pose
        if base_from_gripper is None:
            raise CalibrationError("hand-eye", "a wrist camera moves with the robot",
                                   "the robot's pose for every image")
        return base_from_gripper @ self.pose


def camera_to_dict(found: CameraCalibration, target: str) -> dict[str, Any]:
    """`camera.yaml`: the camera as `Camera.to_dict()`, and the quality of the calibration."""
    camera = found.camera
    return {
        "width": camera.width, "height": camera.height, "K": camera.K.ravel().tolist(),
        "distortion": camera.distortion.tolist(),
        "calibration": {
            "target": target, "error_px": round(found.error, 4), "coverage": round(found.coverage, 3),
            "sigma_fx_fy_cx_cy_px": found.sigma.round(3).tolist(), "warnings": list(found.warnings),
            "images": [{"name": entry.name, "error_px": round(entry.error, 3), "tilt_deg": round(entry.tilt_deg, 1),
                          "used": entry.used} for entry in found.images]},
    }


def hand_eye_to_dict(result: HandEyeResult, target: str = "") -> dict[str, Any]:
    """`hand_eye.yaml`. Lengths in metres, except where a name says mm."""
    unit, factor = ("px", 1.0) if result.camera is not None else ("mm", 1000.0)
    sigma = np.sqrt(np.diag(result.covariance))
    stand = _FIXTURE[result.mode]
    return {
        "schema": SCHEMA, "mode": result.mode,
        _MOUNT[result.mode]: result.mount_from_cam.round(9).tolist(),
        "translation_m": result.mount_from_cam[:3, 3].round(9).tolist(),
        "quaternion_xyzw": quaternion_from_rotation(result.mount_from_cam[:3, :3]).round(9).tolist(),
        "covariance": result.covariance.tolist(),
        "sigma": {"translation_mm": (sigma[:3] * 1000).round(4).tolist(),
                  "rotation_deg": np.degrees(sigma[3:]).round(4).tolist()},
        stand: result.fixture_from_target.round(9).tolist(), "target": target,
        "target_scale": {"factor": round(result.scale, 6), "sigma": round(result.scale_sigma, 6),
                         "free": result.scale_sigma > 0},
        "camera": None if result.camera is None else result.camera.to_dict(),
        "summary": _summary(result, unit, factor),
        "motions": {"views": result.motions.views, "rotation_deg": round(result.motions.rotation_deg, 2),
                    "axis_spread_deg": round(result.motions.axis_spread_deg, 2),
                    "mismatch_deg": round(result.motions.mismatch_deg, 3)},
        "noise": {f"seen_{unit}": round(result.noise.seen * factor, 4),
                  "arm_mm": round(result.noise.arm_translation * 1000, 4),
                  "arm_deg": round(float(np.degrees(result.noise.arm_rotation)), 4)},
        "solvers": [{"solver": entry.solver, "from_refined_mm": round(entry.mm, 3),
                     "from_refined_deg": round(entry.deg, 4), f"residual_{unit}": round(entry.residual * factor, 3),
                     _MOUNT[result.mode]: entry.mount_from_cam.round(6).tolist()} for entry in result.solvers],
        "pairs": [{"name": entry.name, "used": entry.used, f"residual_{unit}": round(entry.residual * factor, 3),
                   "mm": round(entry.mm, 3), "deg": round(entry.deg, 3),
                   "left_out_mm": round(entry.left_out_mm, 3), "left_out_deg": round(entry.left_out_deg, 4)}
                  for entry in result.pairs],
        "warnings": list(result.warnings),
    }


def _summary(result: HandEyeResult, unit: str, factor: float) -> dict[str, Any]:
    """The main quality figures of a calibration."""
    used = result.used
    residuals = np.array([pair.residual for pair in used]) * factor
    moved = np.array([[pair.left_out_mm, pair.left_out_deg] for pair in used])
    apart = [entry.mm for entry in result.solvers] or [0.0]
    return {
        "pairs_used": len(used), "pairs": len(result.pairs),
        f"residual_{unit}": round(float(np.sqrt((residuals**2).mean())), 3),
        "residual_median_mm": round(float(np.median([pair.mm for pair in used])), 3),
        "residual_median_deg": round(float(np.median([pair.deg for pair in used])), 3),
        "solvers_median_mm": round(float(np.median(apart)), 3),
        "leave_one_out_mm": {"rms": round(float(np.sqrt((moved[:, 0] ** 2).mean())), 3),
                             "max": round(float(moved[:, 0].max()), 3)},
        "leave_one_out_deg": {"rms": round(float(np.sqrt((moved[:, 1] ** 2).mean())), 4),
                              "max": round(float(moved[:, 1].max()), 4)},
    }


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """Write a calibration atomically; short lists stay on one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None,
                                     width=120).encode())


def load_hand_eye(path: Path) -> HandEyeCalibration:
    """Read `hand_eye.yaml`.

    Raises:
        InputError: missing, not valid YAML, or a value is wrong; the message names line and key.
    """
    document = replace(read_document(path), error_class=CalibrationError)
    file = validate(document, HandEyeFile)
    name = _MOUNT[file.mode]
    matrix = getattr(file, name)
    if matrix is None:
        raise document.error((name,), "missing", f"the 4x4 pose of an {file.mode} calibration")
    pose = parse_matrix(matrix, f"{document.place((name,))}: {name}")
    noise = file.noise or _Noise()
    arm = ((noise.arm_mm or 0.0) / 1000, float(np.radians(noise.arm_deg or 0.0)))
    return HandEyeCalibration(file.mode, pose, np.asarray(file.covariance, dtype=float), arm)
