"""From a `--source` on the command line, or a camera of a configuration, to a source of frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from posebot.core.errors import InputError, IntrinsicsError, MissingFileError
from posebot.video.cameras import CameraEntry, load_cameras
from posebot.video.intrinsics import load_intrinsics
from posebot.video.recordings import VIDEO_SUFFIXES, BopSource, ImageSource, VideoSource
from posebot.video.source import Source, redacted

_SCENE_CAMERA = "*/*/scene_camera.json"  # in the folder of a BOP data set


@dataclass(frozen=True)
class SourceOptions:
    """Options of the command line about a source.

    Attributes:
        split: of a BOP data set. camera: file of intrinsics. config: file of named cameras. depth: whether depth
            images are read. scale_camera: whether intrinsics of another size, same aspect ratio, are resized.
    """

    split: str | None = None
    camera: Path | None = None
    config: Path | None = None
    depth: bool = True
    scale_camera: bool = False


def open_source(source: str, options: SourceOptions) -> Source:
    """Open a path (image, folder, BOP data set, video) or, with a configuration, the camera of that name.

    Raises:
        InputError: the source does not exist, or has no intrinsics.
    """
    entry = find_camera(source, options.config)
    if entry is not None:
        return open_camera(source, entry, options)
    if "://" in source:
        raise InputError("--source", f"{redacted(source)} is an address", "name the camera in a file, --config FILE")
    return _open_path(Path(source), options)


def find_camera(name: str, config: Path | None) -> CameraEntry | None:
    """The camera of this name in a configuration; None if the name is a path, or there is no configuration.

    Raises:
        InputError: the configuration is wrong, or has no such camera.
    """
    if config is None:
        return None
    cameras = load_cameras(config)
    if name not in cameras and not Path(name).exists():
        raise InputError("--source", f"{redacted(name)!r} is not a camera of {config}",
                         f"a path or one of: {', '.join(cameras)}")
    return cameras.get(name)


def open_camera(name: str, entry: CameraEntry, options: SourceOptions | None = None) -> Source:
    """Open a camera of a configuration; `options.camera` overrides its intrinsics.

    Raises:
        InputError: the camera cannot be opened, or has no intrinsics.
    """
    options = options or SourceOptions()
    intrinsics = load_intrinsics(options.camera) if options.camera else None
    return entry.open(name, intrinsics=intrinsics, depth=options.depth, scale_camera=options.scale_camera)


def _open_path(path: Path, options: SourceOptions) -> Source:
    if not path.exists():
        raise MissingFileError("--source", f"{path} does not exist", "a path, or a camera's name with --config FILE")
    splits = sorted({file.parent.parent.name for file in path.glob(_SCENE_CAMERA)}) if path.is_dir() else []
    if options.split is not None:
        if options.camera is not None:
            raise InputError("--camera", "a BOP data set has intrinsics of its own", "leave --camera out")
        return BopSource(path, options.split, options.depth)
    if splits:
        raise InputError("--source", f"{path} is a BOP data set", f"--split {' or --split '.join(splits)}")
    if options.camera is None:
        scene = next((folder for folder in (path, *path.parents[:2]) if (folder / "scene_camera.json").is_file()), None)
        if scene is not None:
            raise IntrinsicsError(path, "belongs to a BOP data set, which has intrinsics and depth scale of each image",
                                  f"--source {scene.parent.parent} --split {scene.parent.name}")
        beside = (path if path.is_dir() else path.parent) / "camera.json"
        hint = f"; is it {beside}?" if beside.is_file() else ""
        raise IntrinsicsError(path, "has no intrinsics", f"--camera FILE (fx, fy, cx, cy, width, height){hint}")
    intrinsics = load_intrinsics(options.camera)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoSource(path, intrinsics, scale_camera=options.scale_camera)
    return ImageSource(path, intrinsics, options.depth, scale_camera=options.scale_camera)
