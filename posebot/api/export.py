"""A result in the forms of BOP and COCO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import InputError
from posebot.core.results import FrameResult, PoseEstimate
from posebot.core.transforms import make

_BOP_FRAME = re.compile(r"(\d+)/(\d+)")
_MM = 1000.0


def bop_rows(result: FrameResult, scene_id: int | None = None, im_id: int | None = None) -> list[dict[str, Any]]:
    """See `Result.to_bop`."""
    match = _BOP_FRAME.fullmatch(result.frame_id)
    if match is None and (scene_id is None or im_id is None):
        raise InputError("to_bop", f"frame {result.frame_id!r} has no scene and image number", "scene_id= and im_id=")
    scene, image = (int(match[1]), int(match[2])) if match else (scene_id, im_id)
    seconds = result.stage_ms["total"] / 1000 if "total" in result.stage_ms else -1.0
    return [{"scene_id": scene if scene_id is None else scene_id, "im_id": image if im_id is None else im_id,
             "obj_id": estimate.obj_id, "score": float(estimate.rank), "R": estimate.cam_from_obj[:3, :3].copy(),
             "t": _MM * estimate.cam_from_obj[:3, 3:], "time": seconds}
            for estimate in result.estimates if estimate.cam_from_obj is not None]


def write_bop_csv(path: str | PathLike[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of `bop_rows`, of one or more results, as a BOP csv."""
    from posebot.evaluation.bop_csv import Row, write_csv

    write_csv(str(path), [Row(row["scene_id"], row["im_id"], row["obj_id"], row["score"],
                              make(row["R"], row["t"] / _MM), row["time"]) for row in rows])


def coco_detections(result: FrameResult, image_id: int) -> list[dict[str, Any]]:
    """See `Result.to_coco`."""
    return [_coco(estimate, image_id) for estimate in result.estimates]


def _coco(estimate: PoseEstimate, image_id: int) -> dict[str, Any]:
    x0, y0, x1, y1 = (float(value) for value in estimate.box_xyxy)
    entry: dict[str, Any] = {"image_id": image_id, "category_id": estimate.obj_id, "score": float(estimate.score),
                             "bbox": [x0 + 0.5, y0 + 0.5, x1 - x0, y1 - y0]}  # COCO: pixel 0 covers 0..1
    if estimate.mask is not None:
        entry["segmentation"] = run_lengths(estimate.mask)
    return entry


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """COCO's uncompressed RLE of a mask (H, W): lengths of runs column by column, beginning with one of zeros."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]]))
    if flat.size and flat[0]:
        counts = np.concatenate([[0], counts])
    return {"size": [int(side) for side in mask.shape], "counts": [int(count) for count in counts]}
