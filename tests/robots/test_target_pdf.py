"""Printed targets have their true size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posebot.core.errors import InputError
from posebot.robots.target_detection import make_target_detector
from posebot.robots.target_pdf import write_target_sheet
from posebot.robots.targets import parse_target


@pytest.mark.parametrize("spec", ["charuco:7x5:30mm:22mm:DICT_4X4_50", "circles:7x5:30mm", "chessboard:7x4:30mm"])
def test_png_measures_what_it_says(spec: str, tmp_path: Path) -> None:
    target = parse_target(spec)
    sheet = write_target_sheet(tmp_path / "sheet.png", target, spec, "a4", dpi=100)
    assert sheet == (0.297, 0.210)
    with Image.open(tmp_path / "sheet.png") as image:
        dpi = image.info["dpi"][0]
        found = make_target_detector(target)(np.asarray(image), "sheet")
    assert dpi == pytest.approx(100, abs=0.02)
    assert found is not None
    assert len(found.ids) == len(target.points())
    metres = found.pixels / dpi * 0.0254
    np.testing.assert_allclose(metres - metres[0], (found.points - found.points[0])[:, :2], atol=3e-4)


def test_pdf_is_one_page_of_the_sheets_size(tmp_path: Path) -> None:
    file = tmp_path / "tag.pdf"
    sheet = write_target_sheet(file, parse_target("apriltag:36h11:80mm:id4"), "a (bracket)", "")
    content = file.read_bytes()
    assert content.startswith(b"%PDF-1.4")
    assert b"/MediaBox [0 0 %.4f %.4f]" % (sheet[0] / 0.0254 * 72, sheet[1] / 0.0254 * 72) in content
    assert b"226.7717 226.7717 re" in content  # 80 mm in points
    assert rb"a \(bracket\)" in content
    start = int(content.rsplit(b"startxref\n", 1)[1].split()[0])
    assert content[start:].startswith(b"xref")


def test_refused(tmp_path: Path) -> None:
    board = parse_target("chessboard:9x6:60mm")
    with pytest.raises(InputError, match="larger paper"):
        write_target_sheet(tmp_path / "x.pdf", board, "", "a4")
    with pytest.raises(InputError, match=r"\.pdf or \.png"):
        write_target_sheet(tmp_path / "x.svg", board, "")
    with pytest.raises(InputError, match="50 markers"):
        write_target_sheet(tmp_path / "x.pdf", parse_target("charuco:15x15:20mm:15mm:DICT_4X4_50"), "")
    assert not list(tmp_path.iterdir())
