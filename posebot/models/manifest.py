"""bundle.yaml: name, version, objects, networks, calibration and provenance of a bundle, checked field by field."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from posebot.config import read_document, validate
from posebot.core.errors import BundleError
from posebot.models import calibration as calibration_module
from posebot.models.calibration import Calibration, plain
from posebot.models.training_range import TrainingRange
from posebot.models.verdict import Verdict

SCHEMA = 1
MANIFEST = "bundle.yaml"
RENAMED = {"detector.looks": "tta_views", "localizer.reach": "box_jitter", "standing": "upright_prior",
           **calibration_module.RENAMED}
"""Deprecated keys of bundle.yaml, see `config.read_document`."""

TtaViews = Literal[1, 2, 3]
_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)
_Side = Annotated[int, Field(ge=32, le=4096)]
_Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class DetectorSpec:
    """The detector of a bundle."""

    __pydantic_config__ = _CONFIG

    input_size: tuple[_Side, _Side]
    """(height, width) of the network's input, pixels."""
    threshold: _Share
    """Lowest score of a detection that is kept."""
    kind: str = "heatmap"
    """Which trainer made it, see `training.detectors`."""
    tta_views: TtaViews = 1
    """Test-time augmentation: views of the image that are detected in and merged; 1 is the image alone, 2 and 3 add
    it rotated to one side or to both."""


@dataclass(frozen=True)
class LocalizerSpec:
    """The localizer of a bundle, and the crops that it takes."""

    __pydantic_config__ = _CONFIG

    crop_size: Annotated[int, Field(ge=32, le=1024)] = 128
    """Side of a crop, pixels."""
    pad: Annotated[float, Field(ge=1, le=3)] = 1.25
    """Side of a crop / longer side of the box."""
    stride: Annotated[int, Field(ge=1, le=32)] = 4
    """Pixels of the crop a pixel of the network's maps."""
    box_jitter: _Share = 0.12
    """How far off the boxes were that it was trained on, as a share of their side."""


@dataclass(frozen=True)
class ObjectRef:
    """One object that the networks were trained on; its place in the list is its class index."""

    __pydantic_config__ = _CONFIG

    obj_id: int
    label: str


@dataclass(frozen=True)
class PoseStage:
    """The pose stage that the calibration was made with."""

    __pydantic_config__ = _CONFIG

    version: Annotated[int, Field(ge=0)] = 0
    """`stages.POSE_STAGE_VERSION` at that time; 0: not recorded. Another one than today's asks for
    `posebot models recalibrate`."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the pose stage that differ from its defaults."""


def _each_once(objects: tuple[ObjectRef, ...]) -> tuple[ObjectRef, ...]:
    if not objects or len({reference.obj_id for reference in objects}) < len(objects):
        raise ValueError("empty, or one obj_id twice; each object once, in class order")
    return objects


@dataclass(frozen=True)
class Manifest:
    """The content of bundle.yaml."""

    __pydantic_config__ = _CONFIG

    name: str
    """Name of the bundle."""
    version: str
    """Its version, such as 0.4.1."""
    objects: Annotated[tuple[ObjectRef, ...], AfterValidator(_each_once)]
    """The objects in the order of their class index."""
    detector: DetectorSpec
    """The network that finds objects."""
    localizer: LocalizerSpec
    """The network that predicts masks and object coordinates of a crop."""
    licence: str
    """Licence of networks and meshes."""
    calibration: Calibration = field(default_factory=Calibration)
    """Parameters of certainty."""
    upright_prior: _Share = 0.0
    """Share of the objects that stand upright (their meshes' z up) on a common ground plane, which need not be
    visible; 0 where that is not known."""
    pose_stage: PoseStage = field(default_factory=PoseStage)
    """The pose stage that the calibration belongs to."""
    verdict: Verdict | None = None
    """What the held-out frames said of it; none in bundles of posebot 0.2 and earlier."""
    training_range: tuple[TrainingRange, ...] = ()
    """Size and distance of the objects in the training pictures; empty in bundles of posebot 0.2 and earlier."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Free: data, commit, metrics, seed, parent."""
    schema: Literal[1] = 1
    """Version of this format."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in bundle.yaml."""
        detector = asdict(self.detector) | {"input_size": list(self.detector.input_size)}
        added = {name: plain(asdict(self)[name]) for name in ("verdict", "training_range") if getattr(self, name)}
        return {"schema": SCHEMA, "name": self.name, "version": self.version,
                "objects": [asdict(reference) for reference in self.objects],
                "detector": detector, "localizer": asdict(self.localizer),
                "upright_prior": self.upright_prior, "pose_stage": asdict(self.pose_stage),
                "calibration": self.calibration.to_dict(), **added,
                "licence": self.licence, "provenance": self.provenance}


def read_manifest(path: Path, where: object = None) -> Manifest:
    """Read bundle.yaml; deprecated keys are read too.

    Args:
        where: how messages name the file, default: its path.
    Raises:
        BundleError: not valid YAML, or a key is missing, unknown or wrong; with line and key.
    """
    document = read_document(path, where=where, renamed=RENAMED, error_class=BundleError)
    schema = document.data.get("schema") if isinstance(document.data, dict) else SCHEMA
    if schema != SCHEMA:
        raise document.error(("schema",), f"{schema}", f"this posebot reads schema {SCHEMA}")
    return validate(document, Manifest)
