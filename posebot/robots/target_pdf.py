"""Printable targets at true size: PDF (vector) and PNG (with its resolution)."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from posebot.core.errors import InputError, OutputError
from posebot.core.files import write_atomic
from posebot.core.transforms import Array
from posebot.robots.target_drawing import TargetShapes, rasterize, target_shapes
from posebot.robots.targets import Target

PAPERS = {"a4": (0.210, 0.297), "a3": (0.297, 0.420), "letter": (0.2159, 0.2794)}
RULER = 0.1  # metres: length of the line to measure on the print
_MARGIN = 0.010  # metres of white around a print
_POINTS_PER_METRE = 72 / 0.0254


def write_target_sheet(path: Path, target: Target, caption: str, paper: str = "",
                       dpi: int = 600) -> tuple[float, float]:
    """Write a target as .pdf or .png; returns the sheet's width and height in metres.

    Args:
        caption: printed below. paper: a key of `PAPERS`, or "" for a sheet of the required size. dpi: of the PNG.
    Raises:
        InputError: another file type, or the target does not fit on the paper.
    """
    drawing = target_shapes(target)
    needed = (max(drawing.box[2], RULER) + 2 * _MARGIN, drawing.box[3] + 2 * _MARGIN + 0.012)
    sheet = _sheet(needed, paper)
    if path.suffix.lower() not in (".pdf", ".png"):
        raise OutputError(path, f"cannot write {path.suffix or 'a file without suffix'}", ".pdf or .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    write = _pdf if path.suffix.lower() == ".pdf" else _png
    write_atomic(path, write(drawing, sheet, caption, dpi))
    return sheet


def _sheet(needed: tuple[float, float], paper: str) -> tuple[float, float]:
    if not paper:
        return needed
    for sheet in (PAPERS[paper], PAPERS[paper][::-1]):
        if needed[0] <= sheet[0] + 1e-9 and needed[1] <= sheet[1] + 1e-9:
            return sheet
    size = f"{needed[0] * 1e3:.0f} x {needed[1] * 1e3:.0f} mm"
    raise InputError(f"--paper {paper}", f"the target needs {size} with its margin", "larger paper or a smaller one")


def _center_on_sheet(drawing: TargetShapes, sheet: tuple[float, float]) -> tuple[Array, Array, Array, Array]:
    """Black and white rectangles and circles, metres from the sheet's upper left corner, and the ruler's left end."""
    shift = np.array([(sheet[0] - drawing.box[2]) / 2, (sheet[1] - 0.012 - drawing.box[3]) / 2]) - drawing.box[:2]
    move = [*shift, 0, 0]
    return (drawing.rectangles + move, drawing.white + move, drawing.circles + move[:3],
            np.array([(sheet[0] - RULER) / 2, sheet[1] - 0.010]))


def _pdf(drawing: TargetShapes, sheet: tuple[float, float], caption: str, dpi: int) -> bytes:
    rectangles, white, circles, ruler = _center_on_sheet(drawing, sheet)
    unit, height = _POINTS_PER_METRE, sheet[1]

    def boxes(shapes: Array) -> list[str]:
        return [f"{x:.4f} {height * unit - y - h:.4f} {w:.4f} {h:.4f} re" for x, y, w, h in shapes * unit]

    lines = ["0 g", *boxes(rectangles), *(_pdf_circle(x * unit, (height - y) * unit, r * unit) for x, y, r in circles),
             "f", "1 g", *boxes(white), *(["f"] if len(white) else []), "0 g",
             *boxes(np.array([[*ruler, RULER, 0.0003], [*(ruler - [0, 0.0015]), 0.0003, 0.0033],
                              [ruler[0] + RULER - 0.0003, ruler[1] - 0.0015, 0.0003, 0.0033]])), "f"]
    text = f"{caption}   the line is {RULER * 1e3:.0f} mm".encode("latin-1", "replace").decode("latin-1")
    text = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    lines.append(f"BT /F1 7 Tf {ruler[0] * unit:.2f} {(height - ruler[1] - 0.0045) * unit:.2f} Td ({text}) Tj ET")
    content = "\n".join(lines).encode("latin-1")
    page = (f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {sheet[0] * unit:.4f} {height * unit:.4f}] "
            "/Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>")
    objects = [b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
               b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page.encode(),
               b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    return _pdf_file(objects)


def _pdf_circle(x: float, y: float, r: float) -> str:
    k = 0.5522847498 * r  # four Bezier curves, error 0.03 % of the radius
    return (f"{x + r:.4f} {y:.4f} m {x + r:.4f} {y + k:.4f} {x + k:.4f} {y + r:.4f} {x:.4f} {y + r:.4f} c "
            f"{x - k:.4f} {y + r:.4f} {x - r:.4f} {y + k:.4f} {x - r:.4f} {y:.4f} c "
            f"{x - r:.4f} {y - k:.4f} {x - k:.4f} {y - r:.4f} {x:.4f} {y - r:.4f} c "
            f"{x + k:.4f} {y - r:.4f} {x + r:.4f} {y - k:.4f} {x + r:.4f} {y:.4f} c")


def _pdf_file(objects: list[bytes]) -> bytes:
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, table, len(objects) + 1, len(out))


def _png(drawing: TargetShapes, sheet: tuple[float, float], caption: str, dpi: int) -> bytes:
    import cv2
    from PIL import Image

    rectangles, white, circles, ruler = _center_on_sheet(drawing, sheet)
    line = np.array([[*ruler, RULER, 0.0003]])
    page = TargetShapes(np.concatenate([rectangles, line]), circles, white, np.array([0, 0, *sheet]))
    scale = dpi / 0.0254
    image = rasterize(page, scale).astype(np.uint8)
    at = (round(ruler[0] * scale), round((ruler[1] + 0.0045) * scale))
    cv2.putText(image, f"{caption}   the line is {RULER * 1e3:.0f} mm", at, cv2.FONT_HERSHEY_SIMPLEX,
                0.0022 * scale / 22, (0,), max(1, dpi // 300), cv2.LINE_AA)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", dpi=(dpi, dpi))
    return file.getvalue()
