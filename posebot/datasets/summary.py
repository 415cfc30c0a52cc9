"""What a data set shows: how large its objects are in the images, how much of them is in sight, a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.files import write_atomic
from posebot.datasets.bop import Annotation, BopDataset, ImageKey
from posebot.datasets.localizer_samples import MIN_PIXELS, MIN_VISIBLE

CONTACT_SHEET = "contact_sheet.jpg"
_TILE, _COLUMNS, _ROWS = (320, 240), 6, 4  # pixels (width, height); images beside and below each other
_COLORS = ((61, 220, 132), (72, 160, 255), (255, 179, 0), (255, 92, 184), (64, 224, 224), (200, 130, 255))


@dataclass(frozen=True)
class ObjectSummary:
    """One object over a split.

    Attributes:
        instances: in all images. pixels: median length of the silhouette's longer side. half, tenth: share of the
            instances that are in sight by at least 50 % and 10 %.
        crops: instances that training can use: 10 % and 150 pixels in sight.
    """

    label: str
    instances: int
    pixels: float
    half: float
    tenth: float
    crops: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dictionary."""
        return asdict(self)


def summarize_objects(dataset: BopDataset) -> list[ObjectSummary]:
    """Size and visibility of each object of a split, in the order of the objects' numbers."""
    rows = np.array([(truth.obj_id, _side(truth), truth.visib_fract, _area(truth))
                     for key in dataset.keys() for truth in dataset.annotations(key)]).reshape(-1, 4)  # noqa: SIM118
    return [_summary(model.label, rows[rows[:, 0] == obj_id, 1:]) for obj_id, model in dataset.objects.items()]


def _summary(label: str, rows: NDArray[np.float64]) -> ObjectSummary:
    if not len(rows):
        return ObjectSummary(label, 0, 0.0, 0.0, 0.0, 0)
    side, visible, area = rows.T
    return ObjectSummary(label, len(rows), float(np.median(side)), float(np.mean(visible >= 0.5)),
                         float(np.mean(visible >= MIN_VISIBLE)),
                         int(np.sum((visible >= MIN_VISIBLE) & (area >= MIN_PIXELS))))


def _side(truth: Annotation) -> float:
    """Longer side of the whole silhouette, pixels."""
    box = truth.box_amodal
    return float(max(box[2] - box[0], box[3] - box[1]))


def _area(truth: Annotation) -> float:
    """Upper bound of the visible pixels: the box of the visible part."""
    box = truth.box_visib
    return 0.0 if box is None else float((box[2] - box[0]) * (box[3] - box[1]))


def write_contact_sheet(dataset: BopDataset, path: Path, count: int = _COLUMNS * _ROWS) -> Path:
    """Write images of a split, evenly chosen, beside each other with the boxes of the objects in sight (JPEG)."""
    import cv2

    keys = dataset.keys()
    chosen = np.unique(np.linspace(0, len(keys) - 1, min(count, len(keys))).round().astype(int))
    tiles = [_tile(dataset, keys[index]) for index in chosen]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[start:start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    ok, data = cv2.imencode(".jpg", np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert ok
    write_atomic(path, data.tobytes())
    return path


def _tile(dataset: BopDataset, key: ImageKey) -> NDArray[np.uint8]:
    """One image with its boxes, scaled into a tile."""
    import cv2

    rgb = dataset.frame(key).rgb
    scale = min(_TILE[0] / rgb.shape[1], _TILE[1] / rgb.shape[0])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.zeros((_TILE[1], _TILE[0], 3), np.uint8)
    tile[:small.shape[0], :small.shape[1]] = small[:_TILE[1], :_TILE[0]]
    numbers = list(dataset.objects)
    for truth in dataset.annotations(key):
        if truth.visib_fract >= MIN_VISIBLE and truth.box_visib is not None:
            _draw_box(tile, scale * truth.box_visib, dataset.objects[truth.obj_id].label, truth.visib_fract,
                      _COLORS[numbers.index(truth.obj_id) % len(_COLORS)])
    return tile


def _draw_box(tile: NDArray[np.uint8], box: Sequence[float], label: str, visible: float,
              color: tuple[int, int, int]) -> None:
    import cv2

    x0, y0, x1, y1 = (round(float(value)) for value in box)
    cv2.rectangle(tile, (x0, y0), (x1, y1), color, 1)
    cv2.putText(tile, f"{label} {100 * visible:.0f} %", (max(x0, 0), max(y0 - 3, 9)), cv2.FONT_HERSHEY_SIMPLEX, 0.32,
                color, 1, cv2.LINE_AA)
