"""What a `--source` on the command line, or an entry of the camera configuration, stands for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posebot.core.errors import InputError, IntrinsicsError, MissingFileError
from posebot.video.cameras import CameraEntry, load_cameras
from posebot.video.hand_eye_mount import with_robot_poses
from posebot.video.intrinsics import load_intrinsics
from posebot.video.live import CameraSettings, LiveSource, device_frames, network_frames
from posebot.video.recordings import VIDEO_SUFFIXES, BopSource, ImageSource, VideoSource
from posebot.video.source import Source, redacted

if TYPE_CHECKING:
    from posebot.video.simulated_camera import SimulatedCamera

_BOP_ROOT = "*/*/scene_camera.json"


@dataclass(frozen=True)
class SourceOptions:
    """What the command line says about a source.

    Attributes:
        split: of a BOP data set. camera: file of intrinsics. config: file of named cameras. depth: whether depth
            pictures are read. scale_camera: whether intrinsics of another size, same aspect ratio, are resized.
    """

    split: str | None = None
    camera: Path | None = None
    config: Path | None = None
    depth: bool = True
    scale_camera: bool = False


def open_source(source: str, options: SourceOptions) -> Source:
    """A path (picture, folder, BOP data set, video) or, with a configuration, the name of a camera in it.

    Raises:
        InputError: there is no such thing, or it has no intrinsics.
    """
    entry = find_camera(source, options.config)
    if entry is not None:
        return open_camera(source, entry, options)
    if "://" in source:
        raise InputError("--source", f"{redacted(source)} is an address", "name the camera in a file, --config FILE")
    return _open_path(Path(source), options)


def find_camera(name: str, config: Path | None) -> CameraEntry | None:
    """The camera of this name in a configuration; None where it is a path instead, or there is no configuration.

    Raises:
        InputError: the configuration is wrong, or names no such camera.
    """
    if config is None:
        return None
    cameras = load_cameras(config)
    if name not in cameras and not Path(name).exists():
        raise InputError("--source", f"{redacted(name)!r} is no camera of {config}",
                         f"a path or one of: {', '.join(cameras)}")
    return cameras.get(name)


def _open_path(path: Path, options: SourceOptions) -> Source:
    if not path.exists():
        raise MissingFileError("--source", f"{path} does not exist", "a path, or a camera's name with --config FILE")
    splits = sorted({found.parent.parent.name for found in path.glob(_BOP_ROOT)}) if path.is_dir() else []
    if options.split is not None:
        if options.camera is not None:
            raise InputError("--camera", "a BOP data set has intrinsics of its own", "leave --camera out")
        return BopSource(path, options.split, options.depth)
    if splits:
        raise InputError("--source", f"{path} is a BOP data set", f"--split {' or --split '.join(splits)}")
    if options.camera is None:
        beside = (path if path.is_dir() else path.parent) / "camera.json"
        hint = f"; is it {beside}?" if beside.is_file() else ""
        raise IntrinsicsError(path, "has no intrinsics", f"--camera FILE (fx, fy, cx, cy, width, height){hint}")
    intrinsics = load_intrinsics(options.camera)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoSource(path, intrinsics, scale_camera=options.scale_camera)
    return ImageSource(path, intrinsics, options.depth, scale_camera=options.scale_camera)


def open_camera(name: str, entry: CameraEntry, options: SourceOptions | None = None) -> Source:
    """The source that a configuration's entry describes; `options.camera` overrides its intrinsics."""
    options = options or SourceOptions()
    with_depth, scale = options.depth and entry.depth, options.scale_camera or entry.scale_camera
    if entry.kind == "sim":
        return _sim_source(name, entry, with_depth)
    intrinsics = load_intrinsics(options.camera) if options.camera else entry.intrinsics
    if intrinsics is None:
        raise IntrinsicsError(f"camera {name}", "has no intrinsics", "intrinsics: FILE or numbers, or --camera FILE")
    if entry.kind == "video":
        video = VideoSource(entry.source, intrinsics, entry.base_from_cam, scale)
        return with_robot_poses(video, entry.mount, entry.fps)
    if entry.kind in ("file", "folder"):
        images = ImageSource(entry.source, intrinsics, with_depth, entry.base_from_cam, scale)
        return with_robot_poses(images, entry.mount)
    settings = CameraSettings(name, intrinsics, entry.base_from_cam, scale)
    if entry.kind == "device":
        return LiveSource(name, lambda: device_frames(settings, int(entry.source)), entry.fps)
    return LiveSource(name, lambda: network_frames(settings, entry.source), entry.fps)


def _sim_source(name: str, entry: CameraEntry, with_depth: bool) -> Source:
    from posebot.video.simulated_camera import SimulatedSource

    return SimulatedSource(simulated_camera(name, entry, with_depth))


def simulated_camera(name: str, entry: CameraEntry, with_depth: bool = True) -> SimulatedCamera:
    """The camera of an entry of kind sim. The kit is shown as it really looks, other objects as their bundle does."""
    from posebot.models.bundle import Bundle
    from posebot.video.simulated_camera import SimulatedCamera

    models = None
    if entry.bundle != "kit":
        models = {model.obj_id: model for model in Bundle.open(entry.bundle).objects}
    return SimulatedCamera(models, entry.seed, entry.fps or 10.0, with_depth, entry.speed, name=name)
