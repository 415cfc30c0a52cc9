"""open_camera: frames of a configured camera, a video, a folder of images or a BOP data set."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from posebot.core.errors import CameraSetupError, IntrinsicsError
from posebot.core.frame import Frame

if TYPE_CHECKING:
    from posebot.video.source import Source

_log = logging.getLogger("posebot")
_CONFIGURATIONS = (".yaml", ".yml")


def open_camera(source: str | PathLike[str], name: str | None = None, *, intrinsics: str | PathLike[str] | None = None,
                split: str | None = None, depth: bool = True) -> FrameStream:
    """Open a camera, or a recording, as a context manager that iterates over frames.

    Args:
        source: a camera configuration (`.yaml`), a video, an image, a folder of images, or a BOP data set.
        name: the camera of the configuration; may be left out where there is only one.
        intrinsics: file of intrinsics (fx, fy, cx, cy, width, height), for a video or images; it overrides those of a
            configuration.
        split: of a BOP data set, such as "test". depth: whether depth images are read.
    Raises:
        InputError: there is no such file or camera, or it has no intrinsics.

    A live camera gives its newest image each time; what was skipped in between is counted in `dropped`.

    Examples:
        >>> import pathlib, posebot
        >>> _ = pathlib.Path("wrist.yaml").write_text("cameras: {wrist: {kind: sim, fps: 2}}")
        >>> with posebot.open_camera("wrist.yaml") as camera:
        ...     frame = next(iter(camera))
        >>> frame.camera
        Camera(640x480, fx=615.0, fy=615.0, cx=319.5, cy=239.5)
    """
    from posebot.video.open_source import SourceOptions, open_source

    path = Path(source)
    camera = None if intrinsics is None else Path(intrinsics)
    if path.suffix.lower() in _CONFIGURATIONS:
        return FrameStream(open_source(_only(path, name), SourceOptions(camera=camera, config=path, depth=depth)))
    if name is not None:
        raise CameraSetupError(path, f"has no camera {name!r}", "a configuration with the key `cameras`, *.yaml")
    if camera is None and split is None and path.exists() and not any(path.glob("*/*/scene_camera.json")):
        raise IntrinsicsError(path, "has no intrinsics", "intrinsics=FILE (fx, fy, cx, cy, width, height)")
    return FrameStream(open_source(str(path), SourceOptions(split=split, camera=camera, depth=depth)))


def _only(config: Path, name: str | None) -> str:
    from posebot.video.cameras import load_cameras

    cameras = load_cameras(config)
    if name is None and len(cameras) > 1:
        raise CameraSetupError(config, f"names {len(cameras)} cameras", f"name= one of: {', '.join(cameras)}")
    if name is not None and name not in cameras:
        raise CameraSetupError(config, f"has no camera {name!r}", f"one of: {', '.join(cameras)}")
    return next(iter(cameras)) if name is None else name


class FrameStream:
    """Frames of a camera or a recording. A context manager; iterate once.

    Images that cannot be used are skipped with a warning of the logger `posebot`.

    Attributes:
        name: of the camera or recording. live: whether frames are lost when they are not taken in time.
        dropped: frames of a live camera that were skipped so far, because newer ones came. skipped: images that could
            not be used so far.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.live, self.dropped, self.skipped = source.name, source.live, 0, 0

    def __repr__(self) -> str:
        return f"FrameStream({self.name!r}, {'live' if self.live else 'recorded'})"

    def __iter__(self) -> Iterator[Frame]:
        from posebot.video.source import SkippedFrame

        for event in self._source.frames():
            if isinstance(event, SkippedFrame):
                self.skipped += 1
                _log.warning("%s: skipped: %s", event.frame_id, event.reason)
            else:
                self.dropped += event.dropped
                yield event.frame

    def close(self) -> None:
        """Release files, devices and threads. May be called twice."""
        self._source.close()

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
