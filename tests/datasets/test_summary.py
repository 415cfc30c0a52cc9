from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from posebot.datasets.bop import Annotation, ImageKey
from posebot.datasets.summary import summarize_objects, write_contact_sheet


class Images:
    """Two images: a part in sight by 80 % and by 20 %, a screw that is out of sight and one of 10 x 10 pixels."""

    def __init__(self) -> None:
        self.objects = {1: SimpleNamespace(label="part"), 2: SimpleNamespace(label="screw"),
                        3: SimpleNamespace(label="nut")}

    def keys(self) -> list[ImageKey]:
        return [ImageKey(0, 0), ImageKey(0, 1)]

    def annotations(self, key: ImageKey) -> list[Annotation]:
        first = key.im_id == 0
        part = np.array([10, 10, 110, 60.0]) if first else np.array([10, 10, 70, 60.0])
        screw = np.array([200, 100, 210, 110.0])
        return [Annotation(0, 1, np.eye(4), part, part, 0.8 if first else 0.2),
                Annotation(1, 2, np.eye(4), None if first else screw, screw, 0.0 if first else 1.0)]

    def frame(self, key: ImageKey) -> SimpleNamespace:
        return SimpleNamespace(rgb=np.full((480, 640, 3), 90, np.uint8))


def test_sizes_shares_and_usable_crops() -> None:
    part, screw, nut = summarize_objects(Images())  # type: ignore[arg-type]
    assert (part.label, part.instances, part.pixels, part.half, part.tenth, part.crops) == ("part", 2, 80, 0.5, 1, 2)
    assert (screw.pixels, screw.half, screw.tenth, screw.crops) == (10, 0.5, 0.5, 0)  # 100 pixels are too few
    assert (nut.instances, nut.crops) == (0, 0)


def test_contact_sheet_shows_the_images_with_boxes(tmp_path: Path) -> None:
    sheet = cv2.imread(str(write_contact_sheet(Images(), tmp_path / "sheet.jpg")))  # type: ignore[arg-type]
    assert sheet.shape == (240, 6 * 320, 3)
    assert sheet[150, 100].tolist() == pytest.approx([90, 90, 90], abs=3)
    assert abs(sheet[20, 5].astype(int) - 90).max() > 40  # the left side of the part's box, at half the size
