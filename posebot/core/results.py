"""FrameResult and PoseEstimate: what posebot says about one image, and its JSON form.

The JSON has `"schema": 1`. New fields may come without a change of that number: readers skip fields they do not know,
and give fields that are missing their default.

A covariance is 6x6, order (x, y, z, rx, ry, rz), metres and radians: translation of the object's origin, then rotation
vector, both along the axes of the frame the pose is given in (`transforms.perturb`), as in ROS PoseWithCovariance.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isnan
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.equality import ArrayEquality
from posebot.core.errors import ResultFileError
from posebot.core.transforms import Array, inverse

SCHEMA = 1
Status = Literal["ok", "low_certainty", "no_pose"]


@dataclass(frozen=True)
class Region90:
    """Radii that contain the truth 90 times in 100: translation in mm, rotation (modulo symmetry) in degrees."""

    translation_mm: float
    rotation_deg: float

    def __repr__(self) -> str:
        return f"Region90({self.translation_mm:.1f} mm, {self.rotation_deg:.1f} deg)"


@dataclass(frozen=True)
class ModelVersion:
    """Name and version of the bundle that gave a result."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, eq=False)
class Alternative(ArrayEquality):
    """Another pose that explains the image nearly as well, clearly different whatever the object's symmetry.

    cam_from_obj: 4x4, metres. gap: how far its fit (0..1) lies below that of the pose that was chosen.
    """

    cam_from_obj: Array
    gap: float


@dataclass(frozen=True, eq=False, repr=False)
class PoseEstimate(ArrayEquality):
    """One object in one image.

    Attributes:
        label: name of the object.
        obj_id: its number in the bundle.
        track_id: stable over the views of a scene; None before fusion.
        status: whether to act on the pose.
        reason: why not, a plain sentence; "" when ok.
        source: "detected": found in this image by the detector. Other values may follow.
        score: the detector's, 0..1.
        box_xyxy: (4,) pixels, see `core.camera`.
        cam_from_obj: 4x4, metres; None when status is "no_pose".
        base_from_obj: the same in the base frame, where known.
        covariance: 6x6 of `cam_from_obj`, along the camera's axes.
        p_correct: P(MSSD < 10 % of the diameter); NaN (null in JSON) where the model was never calibrated.
        fit: how well the pose explains the image, 0..1; 0 without one.
        region90: radii with 90 % coverage; None where the model was never calibrated.
        alternatives: other poses that one view leaves possible, best first; empty where the image decides, and after
            views were fused.
        views: number of views fused.
        budget: one sigma (mm, degrees) of each cause of error in the base frame ("vision", "hand_eye", "kinematics",
            "latency", "total"), where the errors of `base_from_cam` were specified.
        mask: visible mask (H, W), not serialised as pixels.
    """

    label: str
    obj_id: int
    score: float
    box_xyxy: Array
    status: Status = "no_pose"
    reason: str = ""
    cam_from_obj: Array | None = None
    base_from_obj: Array | None = None
    covariance: Array | None = None
    p_correct: float = 0.0
    fit: float = 0.0
    region90: Region90 | None = None
    alternatives: tuple[Alternative, ...] = ()
    track_id: int | None = None
    views: int = 1
    source: str = "detected"
    budget: dict[str, tuple[float, float]] | None = None
    mask: NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        stated = "uncalibrated" if isnan(self.p_correct) else f"p_correct={self.p_correct:.2f}"
        parts = [f"{self.label!r}, {self.status}, {stated}"]
        if self.cam_from_obj is not None:
            x, y, z = self.cam_from_obj[:3, 3]
            parts.append(f"cam_from_obj at ({x:.3f}, {y:.3f}, {z:.3f}) m")
        if self.region90 is not None:
            parts.append(f"within {self.region90.translation_mm:.1f} mm, {self.region90.rotation_deg:.1f} deg")
        return f"PoseEstimate({', '.join(parts)})"

    @property
    def rank(self) -> float:
        """0..1: which of several estimates of one object to prefer.

        `p_correct` is the probability of an accurate pose; `fit` ranks inaccurate ones better, and is all there is
        without a calibration.
        """
        return self.fit / 2 if isnan(self.p_correct) else (self.p_correct + self.fit) / 2

    @property
    def position_m(self) -> Array | None:
        """Origin (3,) of the object, metres: in the base frame where `base_from_obj` is known, else in the camera's.

        None without a pose.
        """
        pose = self.cam_from_obj if self.base_from_obj is None else self.base_from_obj
        return None if pose is None else pose[:3, 3].copy()

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; arrays as nested lists, masks left out."""
        position = self.position_m
        return {
            "label": self.label, "obj_id": self.obj_id, "track_id": self.track_id, "status": self.status,
            "reason": self.reason, "score": round(float(self.score), 4),
            "box_xyxy": np.round(self.box_xyxy, 2).tolist(),
            "position_m": None if position is None else position.round(6).tolist(),
            "cam_from_obj": _listed(self.cam_from_obj), "base_from_obj": _listed(self.base_from_obj),
            "covariance": None if self.covariance is None else self.covariance.tolist(),
            "p_correct": None if isnan(self.p_correct) else round(float(self.p_correct), 4),
            "fit": round(float(self.fit), 4),
            "region90": None if self.region90 is None else {"translation_mm": round(self.region90.translation_mm, 3),
                                                            "rotation_deg": round(self.region90.rotation_deg, 3)},
            "alternatives": [{"cam_from_obj": _listed(other.cam_from_obj),
                              "base_from_obj": _listed(self._in_base(other.cam_from_obj)), "gap": round(other.gap, 4)}
                             for other in self.alternatives],
            "views": self.views, "source": self.source,
            **({} if self.budget is None else {"budget": {
                cause: {"translation_mm": round(mm, 3), "rotation_deg": round(deg, 3)}
                for cause, (mm, deg) in self.budget.items()}}),
        }

    def _in_base(self, cam_from_obj: Array) -> Array | None:
        """A pose in the base frame, known from where this estimate's own pose is in both frames."""
        if self.cam_from_obj is None or self.base_from_obj is None:
            return None
        return self.base_from_obj @ inverse(self.cam_from_obj) @ cam_from_obj

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PoseEstimate:
        """The estimate of `to_dict`. Fields that are not known are skipped."""
        region, budget = data.get("region90"), data.get("budget")
        return cls(
            label=data["label"], obj_id=int(data["obj_id"]), score=float(data["score"]),
            box_xyxy=np.asarray(data["box_xyxy"], dtype=float), status=data["status"], reason=data.get("reason", ""),
            cam_from_obj=_matrix(data.get("cam_from_obj")), base_from_obj=_matrix(data.get("base_from_obj")),
            covariance=_matrix(data.get("covariance")), p_correct=_number(data.get("p_correct", 0.0)),
            fit=float(data.get("fit", 0.0)),
            region90=Region90(float(region["translation_mm"]), float(region["rotation_deg"])) if region else None,
            alternatives=tuple(Alternative(np.asarray(other["cam_from_obj"], dtype=float), float(other["gap"]))
                               for other in data.get("alternatives", ())),
            track_id=data.get("track_id"), views=int(data.get("views", 1)), source=data.get("source", "detected"),
            budget={cause: (s["translation_mm"], s["rotation_deg"]) for cause, s in budget.items()} if budget else None,
        )


@dataclass(frozen=True, eq=False, repr=False)
class FrameResult(ArrayEquality):
    """All that posebot says about one frame. Iterating, `len` and indexing go over the estimates.

    Attributes:
        age_ms: from `captured_at` to the moment the result was ready. stage_ms: milliseconds per stage and "total".
        dropped: frames of this source that were skipped since the previous result.
        model: the bundle; None where no bundle was used (objects without training) or it is not known.
        base_from_cam: 4x4 metres, as in the frame; None if unknown.
        nothing_found: where there are no estimates, why that may be so; in JSON only then.
    """

    frame_id: str
    captured_at: float
    camera: Camera
    estimates: tuple[PoseEstimate, ...] = ()
    age_ms: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)
    dropped: int = 0
    model: ModelVersion | None = None
    base_from_cam: Array | None = None
    nothing_found: str = ""

    def __iter__(self) -> Iterator[PoseEstimate]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def __bool__(self) -> bool:
        """A result is true, also one without objects; `len(result)` counts them."""
        return True

    @overload
    def __getitem__(self, index: int) -> PoseEstimate: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PoseEstimate, ...]: ...
    def __getitem__(self, index: int | slice) -> PoseEstimate | tuple[PoseEstimate, ...]:
        return self.estimates[index]

    def __repr__(self) -> str:
        objects = ", ".join(f"{entry.label} {entry.status}{_stated(entry)}" for entry in self.estimates) or "none"
        model = "" if self.model is None else f", model {self.model}"
        time = f", {self.stage_ms['total']:.0f} ms" if "total" in self.stage_ms else ""
        return f"{type(self).__name__}({self.frame_id!r}, {len(self)} objects: {objects}{model}{time})"

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, as in a line of results.jsonl."""
        return {
            "schema": SCHEMA, "frame_id": self.frame_id, "captured_at": self.captured_at,
            "age_ms": round(self.age_ms, 2),
            "stage_ms": {name: round(value, 3) for name, value in self.stage_ms.items()}, "dropped": self.dropped,
            "model": None if self.model is None else {"name": self.model.name, "version": self.model.version},
            "base_from_cam": _listed(self.base_from_cam),
            "camera": self.camera.to_dict(), "estimates": [estimate.to_dict() for estimate in self.estimates],
        } | ({"nothing_found": self.nothing_found} if self.nothing_found else {})

    def to_json(self) -> str:
        """One line of results.jsonl."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The result of `to_dict`. Fields that are not known are skipped.

        Raises:
            ResultFileError: the schema version is not this one.
        """
        if data.get("schema") != SCHEMA:
            raise ResultFileError("result", f"schema {data.get('schema')!r}", f"this posebot reads schema {SCHEMA}")
        model = data.get("model")
        return cls(
            frame_id=data["frame_id"], captured_at=data["captured_at"], camera=Camera.from_dict(data["camera"]),
            age_ms=data["age_ms"], stage_ms=data["stage_ms"], dropped=data["dropped"],
            model=ModelVersion(str(model["name"]), str(model["version"])) if model else None,
            base_from_cam=_matrix(data.get("base_from_cam")), nothing_found=str(data.get("nothing_found", "")),
            estimates=tuple(PoseEstimate.from_dict(entry) for entry in data["estimates"]),
        )


def _listed(pose: Array | None) -> list[list[float]] | None:
    return None if pose is None else pose.round(9).tolist()


def _stated(estimate: PoseEstimate) -> str:
    return "" if isnan(estimate.p_correct) else f" {estimate.p_correct:.2f}"


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _matrix(value: Any) -> Array | None:
    return None if value is None else np.asarray(value, dtype=float)
