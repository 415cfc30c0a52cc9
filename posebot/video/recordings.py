"""Sources on disk: an image, a folder of images (with depth or without), a BOP split, a video file."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import ImageError, InputError, IntrinsicsError, MissingFileError
from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.datasets.bop import BopDataset
from posebot.video.images import list_image_files, read_depth, read_rgb
from posebot.video.intrinsics import Intrinsics
from posebot.video.source import CapturedFrame, FrameEvent, SkippedFrame

if TYPE_CHECKING:
    from posebot.datasets.bop import ImageKey

VIDEO_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts")


class ImageSource:
    """Image files. A bad single file is an error; in a folder bad files are skipped.

    Args:
        path: an image, or a folder with images, or a folder with `rgb/` and `depth/` (same names, 16 bit).
        with_depth: whether depth images are read. base_from_cam: 4x4, the same for all images, or None.
        scale_camera: whether intrinsics of another size with the same aspect ratio are resized.
    Raises:
        InputError: no image, or depth images without a depth scale.
    """

    live: bool = False
    fps: float | None = None

    def __init__(self, path: str | Path, intrinsics: Intrinsics, with_depth: bool = True,
                 base_from_cam: Array | None = None, scale_camera: bool = False) -> None:
        self.path, self.intrinsics, self.base_from_cam = Path(path), intrinsics, base_from_cam
        self.scale_camera = scale_camera
        self.name = self.path.stem if self.path.is_file() else self.path.resolve().name
        self.files, self.depth_files = _image_files(self.path, with_depth)
        if self.depth_files and intrinsics.depth_scale is None:
            raise IntrinsicsError(intrinsics.where, f"no depth_scale, but {self.path} has depth images",
                                  "millimetres per unit: 1.0 for most cameras, 0.1 for images of posebot synth; or "
                                  "--no-depth")
        self.total: int | None = len(self.files)

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        stems = [file.stem for file in self.files]
        for file in self.files:
            frame_id = f"{self.name}/{file.stem if stems.count(file.stem) == 1 else file.name}"
            if frame_id in done:
                continue
            try:
                yield CapturedFrame(self._frame(file, frame_id))
            except InputError as error:
                if self.path.is_file():
                    raise
                yield SkippedFrame(frame_id, str(error))

    def _frame(self, file: Path, frame_id: str) -> Frame:
        rgb = read_rgb(file)
        depth, depth_file = None, self.depth_files.get(file.stem)
        if depth_file is not None and self.intrinsics.depth_scale is not None:
            depth = read_depth(depth_file, self.intrinsics.depth_scale)
        camera = self.intrinsics.for_size(rgb.shape[1], rgb.shape[0], self.scale_camera)
        return Frame(rgb, camera, depth, self.base_from_cam, frame_id, time.time())

    def close(self) -> None:
        """Nothing is open."""


class BopSource:
    """Images of a BOP split; with an official target list, those in the list.

    Intrinsics come from the data set. `base_from_cam` is the camera pose in the world frame of BOP, where given.
    """

    live: bool = False
    fps: float | None = None

    def __init__(self, root: str | Path, split: str, with_depth: bool = True) -> None:
        self.dataset = BopDataset(root, split)
        self.name, self.with_depth = f"{Path(root).resolve().name}/{split}", with_depth
        listed = {target.key for target in self.dataset.targets()} if self.has_target_list else None
        keys = self.dataset.keys()
        self.keys = [key for key in keys if listed is None or key in listed]
        if not self.keys:
            raise ImageError(self.dataset.folder, "has no image of the target list", "the split of the list")
        self.total: int | None = len(self.keys)

    @property
    def has_target_list(self) -> bool:
        """Whether the data set has an official target list for this split."""
        return (self.dataset.root / "test_targets_bop19.json").is_file() and self.dataset.split.startswith("test")

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        for key in self.keys:
            if key.frame_id in done:
                continue
            try:
                yield CapturedFrame(self._frame(key))
            except InputError as error:
                yield SkippedFrame(key.frame_id, str(error))

    def _frame(self, key: ImageKey) -> Frame:
        frame = self.dataset.frame(key)
        return replace(frame, depth=frame.depth if self.with_depth else None, captured_at=time.time())

    def close(self) -> None:
        """Nothing is open."""


class VideoSource:
    """A video file. `captured_at` is the time at which a frame is read.

    Raises:
        InputError: no video stream, or intrinsics of another size.
    """

    live: bool = False

    def __init__(self, path: str | Path, intrinsics: Intrinsics, base_from_cam: Array | None = None,
                 scale_camera: bool = False) -> None:
        self.path, self.name, self.base_from_cam = Path(path), Path(path).stem, base_from_cam
        with open_video(str(path)) as container:
            stream = container.streams.video[0]
            self.camera = intrinsics.for_size(stream.width, stream.height, scale_camera)
            self.fps = float(stream.average_rate) if stream.average_rate else None
            self.total: int | None = stream.frames or None

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        with open_video(str(self.path)) as container:
            for index, image in enumerate(decode_frames(container)):
                frame_id = f"{self.name}/{index:06d}"
                if isinstance(image, str):
                    yield SkippedFrame(frame_id, f"{self.path}: {image}")
                elif frame_id not in done:
                    yield self._shot(image, frame_id)

    def _shot(self, rgb: NDArray[np.uint8], frame_id: str) -> FrameEvent:
        try:
            return CapturedFrame(Frame(rgb, self.camera, None, self.base_from_cam, frame_id, time.time()))
        except InputError as error:
            return SkippedFrame(frame_id, str(error))

    def close(self) -> None:
        """Nothing is open between calls of `frames`."""


def open_video(address: str, **options: Any) -> Any:
    """A PyAV container with a video stream. Raises InputError without credentials in its message."""
    import av

    from posebot.video.source import redacted

    try:
        container = av.open(address, **options)
    except (av.FFmpegError, OSError) as error:
        raise ImageError(redacted(address), f"cannot be opened ({redacted(_reason(error))})", "a video") from None
    if not container.streams.video:
        container.close()
        raise ImageError(redacted(address), "has no video stream", "a video")
    return container


def decode_frames(container: Any) -> Iterator[NDArray[np.uint8] | str]:
    """RGB images of the first video stream; for a packet that cannot be decode_frames, the reason instead."""
    import av

    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            for image in packet.decode():
                yield image.to_ndarray(format="rgb24")
        except av.error.EOFError:
            return
        except av.FFmpegError as error:
            yield f"a frame cannot be decode_frames ({_reason(error)})"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _image_files(path: Path, with_depth: bool) -> tuple[list[Path], dict[str, Path]]:
    """Images, and depth images by stem."""
    if path.is_file():
        return [path], {}
    if not path.is_dir():
        raise MissingFileError(path, "no such file or folder",
                               "an image, a folder of images, a BOP data set or a video")
    folder = path / "rgb" if (path / "rgb").is_dir() else path
    files = list_image_files(folder)
    if not files:
        raise ImageError(folder, "has no images", "PNG, JPEG, TIFF, BMP or WebP files")
    depth = list_image_files(path / "depth") if with_depth and (path / "depth").is_dir() else []
    return files, {file.stem: file for file in depth}
