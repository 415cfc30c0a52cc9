"""The named cameras of a configuration file.

    cameras:
      wrist:
        kind: rtsp                       # file, folder, video, device, rtsp, sim, see `video.kinds`
        source: rtsp://robot:${CAMERA_PASSWORD}@10.0.0.12/stream1
        intrinsics: wrist_camera.yaml    # a file, relative to this one, or the numbers themselves
        hand_eye: hand_eye.yaml          # of posebot calibrate hand-eye; or, for a static camera,
        base_from_cam: [1, 0, 0, 0.4, 0, -1, 0, 0, 0, 0, -1, 0.6, 0, 0, 0, 1]

All keys of a kind are fields of its class in `posebot/video/kinds/`; `posebot config schema cameras` prints them.
Network addresses are accepted only here, never on the command line or in a request: the author of the file decides
what posebot connects to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebot.config import Document, read_document, validate
from posebot.core.errors import IntrinsicsError
from posebot.core.transforms import Array
from posebot.video.intrinsics import Intrinsics, intrinsics_from, load_intrinsics
from posebot.video.kinds import CAMERA_KINDS, CameraConfig, CameraContext, MountedCameraConfig, load_kind
from posebot.video.kinds.base import transform_from
from posebot.video.source import Source

if TYPE_CHECKING:
    from posebot.video.hand_eye_mount import HandEyeMount


@dataclass(frozen=True)
class CameraEntry:
    """A camera of a configuration, checked, with the files it refers to.

    Attributes:
        config: its settings, of the class of its kind. base_from_cam: 4x4 of a static camera, also if its hand-eye
            calibration `mount` says so. folder: paths are relative to it.
    """

    config: CameraConfig
    intrinsics: Intrinsics | None = None
    base_from_cam: Array | None = None
    mount: HandEyeMount | None = field(default=None, repr=False)
    folder: Path = Path()

    @property
    def kind(self) -> str:
        """Name of the kind, see `video.kinds`."""
        return self.config.kind

    @property
    def fps(self) -> float | None:
        """Frames per second, if given."""
        return self.config.fps

    @property
    def recorded(self) -> bool:
        """Whether frames come from files; else the newest frame of a live camera wins."""
        return self.config.recorded

    def open(self, name: str, *, intrinsics: Intrinsics | None = None, depth: bool = True,
             scale_camera: bool = False) -> Source:
        """The source of frames. Arguments override the configuration.

        Raises:
            InputError: the source cannot be opened, or has no intrinsics.
        """
        config = self.config
        scale = scale_camera or (isinstance(config, MountedCameraConfig) and config.scale_camera)
        return config.open(CameraContext(name, self.folder, intrinsics or self.intrinsics, self.base_from_cam,
                                         self.mount, depth and config.depth, scale))


def load_cameras(path: str | Path) -> dict[str, CameraEntry]:
    """The cameras of a configuration file by name. `${NAME}` in addresses is taken from the environment.

    Raises:
        InputError: the file is missing or not valid YAML, or an entry is wrong; the message names line and key.
    """
    path = Path(path)
    document = read_document(path)
    cameras = document.data.get("cameras") if isinstance(document.data, Mapping) else None
    if not isinstance(cameras, Mapping) or not cameras:
        raise document.error(("cameras",), "no camera",
                             "cameras: {wrist: {kind: device, source: 0, intrinsics: camera.yaml}}")
    return {str(name): _entry(document.section("cameras", name), path.parent) for name in cameras}


def _entry(section: Document, folder: Path) -> CameraEntry:
    kind = section.data.get("kind") if isinstance(section.data, Mapping) else None
    if isinstance(section.data, Mapping) and kind not in CAMERA_KINDS:
        raise section.error(("kind",), f"{str(kind)[:40]!r} is not a camera kind" if kind else "missing",
                            f"one of {', '.join(CAMERA_KINDS)}")
    config = validate(section, load_kind(str(kind)) if kind else CameraConfig)
    if not isinstance(config, MountedCameraConfig):
        return CameraEntry(config, folder=folder)
    mount = _mount(config, section, folder)
    fixed = None if config.base_from_cam is None else transform_from(config.base_from_cam)
    return CameraEntry(config, _intrinsics(config, section, folder), fixed if mount is None else mount.base_from_cam,
                       mount, folder)


def _intrinsics(config: MountedCameraConfig, section: Document, folder: Path) -> Intrinsics | None:
    value: Any = config.intrinsics
    if value is None:
        return None
    if isinstance(value, str):
        intrinsics = load_intrinsics(folder / value)
    else:
        intrinsics = intrinsics_from(replace(section.section("intrinsics"), error_class=IntrinsicsError))
    return intrinsics if config.depth_scale is None else replace(intrinsics, depth_scale=config.depth_scale)


def _mount(config: MountedCameraConfig, section: Document, folder: Path) -> HandEyeMount | None:
    if config.hand_eye is None:
        return None
    from posebot.video.hand_eye_mount import load_hand_eye_mount  # reading a configuration seldom needs it

    sigmas = {name: value for name in ("arm_mm", "arm_deg", "latency_ms")
              if (value := getattr(config, name)) is not None}
    poses = None if config.robot_poses is None else folder / config.robot_poses
    mount = load_hand_eye_mount(folder / config.hand_eye, poses, sigmas)
    if poses is not None and (mount.hand_eye.mode != "eye-in-hand" or not config.recorded):
        raise section.error(("robot_poses",), f"not possible with kind {config.kind} and {mount.hand_eye.mode}",
                            "a recording (file, folder, video) of a wrist camera; live robot poses are pushed: "
                            "docs/how-to/serve.md")
    return mount
