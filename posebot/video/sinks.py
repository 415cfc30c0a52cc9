"""Sinks of results: JSON lines, BOP csv, overlay video, overlay images.

Output stays readable if the process is killed: lines are flushed one by one, the video is fragmented, images and the
csv are written atomically.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import InputError, OutputError, ResultFileError
from posebot.core.files import write_atomic
from posebot.core.frame import Frame
from posebot.core.results import FrameResult
from posebot.evaluation.bop_csv import Row, write_csv
from posebot.video.overlay import Overlay

if TYPE_CHECKING:
    from posebot.core.results import PoseEstimate

_BOP_FRAME = re.compile(r"(\d+)/(\d+)")
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_KEYFRAME_EVERY = 25  # frames; the most that is lost if the process is killed
_MS = Fraction(1, 1000)


@dataclass
class Output:
    """A frame, its result, and its overlay, drawn once on first use."""

    frame: Frame
    result: FrameResult
    overlay: Overlay

    @cached_property
    def overlay_image(self) -> NDArray[np.uint8]:
        """The overlay, uint8 (H, W, 3), red first."""
        return self.overlay.draw(self.frame, self.result)


class Sink(Protocol):
    """Receives outputs in order. `needs_image`: whether it also needs frames whose results are known (resumed run)."""

    needs_image: bool

    def write(self, output: Output) -> None: ...

    def close(self) -> None: ...


class JsonlSink:
    """results.jsonl: one line per frame, flushed, appended."""

    needs_image = False

    def __init__(self, path: str | Path) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 (closed by close)

    def write(self, output: Output) -> None:
        self._file.write(output.result.to_json() + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_jsonl(path: str | Path, repair: bool = False) -> list[FrameResult]:
    """Results of a JSONL file. With `repair`, an incomplete last line is removed from the file.

    Raises:
        InputError: a line other than an incomplete last one is not a result.
    """
    path = Path(path)
    data = path.read_bytes()
    complete = data[:data.rfind(b"\n") + 1]
    results = []
    for number, line in enumerate(complete.splitlines(), 1):
        try:
            results.append(FrameResult.from_dict(json.loads(line)))
        except InputError as error:
            raise error.at(f"{path}: line {number}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ResultFileError(f"{path}: line {number}", f"not a result ({type(error).__name__}: {error})",
                                  "a results file of posebot") from None
    if repair and len(complete) < len(data):
        os.truncate(path, len(complete))
    return results


def write_bop(path: str | Path, results: Iterable[FrameResult]) -> int:
    """Write a BOP csv; returns the number of rows. The score is `PoseEstimate.rank`.

    Includes estimates of low certainty, not those without a pose.
    Raises:
        InputError: a frame_id is not SCENE/IMAGE: the frames are not of a BOP data set.
    """
    rows = [row for result in results for row in _bop_rows(result)]
    write_csv(path, rows)
    return len(rows)


def _bop_rows(result: FrameResult) -> list[Row]:
    match = _BOP_FRAME.fullmatch(result.frame_id)
    if match is None:
        raise InputError("--bop", f"frame {result.frame_id!r} has no scene and image number",
                         "a BOP data set as --source")
    scene_id, im_id = int(match[1]), int(match[2])
    seconds = result.stage_ms.get("total", -1000.0) / 1000

    def row(estimate: PoseEstimate, pose: NDArray[np.float64]) -> Row:
        return Row(scene_id, im_id, estimate.obj_id, estimate.rank, pose, seconds)

    return [row(estimate, estimate.cam_from_obj) for estimate in result.estimates if estimate.cam_from_obj is not None]


class VideoSink:
    """Overlay video, H.264 in fragmented mp4: playable while it is written and if the process is killed.

    Args:
        fps: frame rate of a recording. None: frames have the times at which they were captured (live sources).
    """

    needs_image = True

    def __init__(self, path: str | Path, fps: float | None) -> None:
        self.path, self.fps = Path(path), fps
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container: Any = None
        self._stream: Any = None
        self._start, self._last_ms, self._count = 0.0, -1, 0

    def write(self, output: Output) -> None:
        import av

        if self._container is None:
            self._open(*output.overlay_image.shape[1::-1])
            self._start = output.frame.captured_at
        if output.overlay_image.shape[1::-1] != (self._stream.width, self._stream.height):
            return  # a video has one size: that of the first image
        seconds = self._count / self.fps if self.fps else output.frame.captured_at - self._start
        self._last_ms = max(round(seconds * 1000), self._last_ms + 1)
        image = av.VideoFrame.from_ndarray(output.overlay_image, format="rgb24")
        image.pts, image.time_base = self._last_ms, _MS
        self._container.mux(self._stream.encode(image))
        self._count += 1

    def close(self) -> None:
        """Flush the encoder. Safe after Ctrl-C and if nothing was written."""
        if self._container is not None:
            self._container.mux(self._stream.encode())
            self._container.close()
            self._container = None

    def _open(self, width: int, height: int) -> None:
        import av

        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        try:
            self._container = av.open(str(self.path), "w", format="mp4", options=_FRAGMENTED)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(self.path, f"cannot be written ({error})", "a path for an mp4 video") from None
        self._stream = self._container.add_stream(codec, rate=round(self.fps or 25))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base, self._stream.codec_context.gop_size = _MS, _KEYFRAME_EVERY
        if codec == "libx264":
            self._stream.options = {"preset": "veryfast", "crf": "21", "tune": "zerolatency"}


class ImageSink:
    """One overlay image per frame: `000002_000038.jpg`."""

    needs_image = True

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, output: Output) -> None:
        write_image(self.folder / f"{output.result.frame_id.replace('/', '_')}.jpg", output.overlay_image)

    def close(self) -> None:
        """Nothing is open."""


def write_image(path: str | Path, rgb: NDArray[np.uint8]) -> None:
    """Write an RGB image, uint8 (H, W, 3), atomically."""
    write_atomic(path, encode_image(rgb, Path(path).suffix), durable=False)


def encode_image(rgb: NDArray[np.uint8], suffix: str = ".jpg") -> bytes:
    """Encode an RGB image as `suffix` (.jpg or .png)."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix == ".jpg" else []
    return cv2.imencode(suffix, np.ascontiguousarray(rgb[..., ::-1]), options)[1].tobytes()
