"""bundle.yaml: what a bundle says of itself, checked field by field."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from posebot.core.errors import BundleError
from posebot.models.calibration import Calibration

SCHEMA = 1
MANIFEST = "bundle.yaml"
LOOKS = (1, 2, 3)


@dataclass(frozen=True)
class DetectorSpec:
    """input_size: (height, width) pixels. threshold: lowest score kept, 0..1. kind: which trainer made it. looks: at a
    picture: 1; 2 or 3, turned to one side or to either, whose mean counts.
    """

    input_size: tuple[int, int]
    threshold: float
    kind: str = "heatmap"
    looks: int = 1


@dataclass(frozen=True)
class LocalizerSpec:
    """crop_size: side of a crop, pixels. pad: crop side / longer box side. stride: crop pixels per map pixel.

    reach: how far off the boxes were that it learnt from, as a share of their side.
    """

    crop_size: int = 128
    pad: float = 1.25
    stride: int = 4
    reach: float = 0.12


@dataclass(frozen=True)
class ObjectRef:
    """One object that the networks know; its place in the list is its class index."""

    obj_id: int
    label: str


@dataclass(frozen=True)
class Manifest:
    """What bundle.yaml says. `provenance` is free: data, commit, metrics, seed, parent. standing: share of the objects
    that stand upright, on a ground that need not be seen (their meshes' z upwards), 0 where that is not known."""

    name: str
    version: str
    objects: tuple[ObjectRef, ...]
    detector: DetectorSpec
    localizer: LocalizerSpec
    licence: str
    calibration: Calibration = field(default_factory=Calibration)
    standing: float = 0.0
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        detector = asdict(self.detector) | {"input_size": list(self.detector.input_size)}
        return {"schema": SCHEMA, "name": self.name, "version": self.version,
                "objects": [asdict(reference) for reference in self.objects],
                "detector": detector, "localizer": asdict(self.localizer),
                "standing": self.standing, "calibration": self.calibration.to_dict(),
                "licence": self.licence, "provenance": self.provenance}

    @classmethod
    def from_dict(cls, data: Any, where: object = MANIFEST) -> Manifest:
        """Raises InputError naming the first field that is missing, unknown or wrong."""
        top = _Fields(data, where, "", ("schema", "name", "version", "objects", "detector", "localizer", "standing",
                                        "calibration", "licence", "provenance"))
        if top.take("schema", int) != SCHEMA:
            raise BundleError(where, f"schema: {data['schema']}", f"this posebot reads schema {SCHEMA}")
        return cls(name=top.take("name", str), version=top.take("version", str),
                   objects=_objects(top.take("objects", list), where),
                   detector=_detector(top.take("detector", dict), where),
                   localizer=_localizer(top.take("localizer", dict), where), licence=top.take("licence", str),
                   calibration=Calibration.from_dict(data.get("calibration"), where),
                   standing=top.take_range("standing", 0, 1, 0.0),
                   provenance=top.take("provenance", dict, {}))


class _Fields:
    """Takes typed fields out of a mapping and names the one that is wrong."""

    def __init__(self, data: Any, where: object, prefix: str, known: tuple[str, ...]) -> None:
        if not isinstance(data, dict):
            raise BundleError(where, f"{prefix or 'document'} is no mapping", f"the keys {', '.join(known)}")
        for key in data:
            if key not in known:
                raise BundleError(where, f"{prefix}{key}: unknown key", f"known are {', '.join(known)}")
        self._data, self._where, self._prefix = data, where, prefix

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        value = self._data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, kind):
            names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            problem = f"is {value!r:.60}" if key in self._data else "is missing"
            raise BundleError(self._where, f"{self._prefix}{key} {problem}", f"a {names}")
        return value

    def take_range(self, key: str, low: float, high: float, default: Any = None) -> float:
        value = self.take(key, (int, float), default)
        if not low <= value <= high:
            raise BundleError(self._where, f"{self._prefix}{key} is {value}", f"{low} to {high}")
        return float(value)


def _objects(entries: list[Any], where: object) -> tuple[ObjectRef, ...]:
    objects = []
    for index, entry in enumerate(entries):
        fields = _Fields(entry, where, f"objects[{index}].", ("obj_id", "label"))
        objects.append(ObjectRef(fields.take("obj_id", int), fields.take("label", str)))
    if not objects or len({reference.obj_id for reference in objects}) < len(objects):
        raise BundleError(where, "objects: empty, or one obj_id twice", "each object once, in class order")
    return tuple(objects)


def _detector(data: dict[str, Any], where: object) -> DetectorSpec:
    fields = _Fields(data, where, "detector.", ("input_size", "threshold", "kind", "looks"))
    size = fields.take("input_size", list)
    if len(size) != 2 or not all(isinstance(side, int) and 32 <= side <= 4096 for side in size):
        raise BundleError(where, f"detector.input_size is {size}", "[height, width], 32 to 4096 pixels each")
    looks = fields.take("looks", int, 1)
    if looks not in LOOKS:
        raise BundleError(where, f"detector.looks is {looks}", " or ".join(map(str, LOOKS)))
    return DetectorSpec((size[0], size[1]), fields.take_range("threshold", 0, 1), fields.take("kind", str, "heatmap"),
                        looks)


def _localizer(data: dict[str, Any], where: object) -> LocalizerSpec:
    fields = _Fields(data, where, "localizer.", ("crop_size", "pad", "stride", "reach"))
    return LocalizerSpec(int(fields.take_range("crop_size", 32, 1024, 128)), fields.take_range("pad", 1, 3, 1.25),
                         int(fields.take_range("stride", 1, 32, 4)), fields.take_range("reach", 0, 1, 0.12))
