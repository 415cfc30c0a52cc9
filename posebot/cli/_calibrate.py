"""Steps of `posebot calibrate`: from images to views, and output of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebot.cli._common import console
from posebot.core.errors import CalibrationError, InputError

if TYPE_CHECKING:
    from posebot.core.camera import Camera
    from posebot.core.transforms import Array
    from posebot.robots.camera_calibration import CameraCalibration
    from posebot.robots.hand_eye import HandEyeResult
    from posebot.robots.robot_poses import RobotPose
    from posebot.robots.target_detection import Detection
    from posebot.robots.targets import Target
    from posebot.robots.views import Mode, View


@dataclass(frozen=True)
class CalibrationViews:
    """Images with robot poses and detections.

    Attributes:
        views: those with a detected target. camera: None if there are no images. missing: names of images without a
            detection. detections: every image with its detection.
    """

    views: list[View]
    camera: Camera | None = None
    missing: list[str] = field(default_factory=list)
    detections: list[tuple[Path, Detection | None]] = field(default_factory=list)

    def draw(self, folder: Path, result: HandEyeResult, mode: Mode) -> None:
        """Write every image with the detected points (green) and those predicted by the result (purple)."""
        from posebot.robots.solvers import HandEyeEstimate, predicted_target_poses
        from posebot.robots.views import mount_from_fixture

        estimate = HandEyeEstimate("refined", result.mount_from_cam, result.fixture_from_target)
        poses = predicted_target_poses(estimate, mount_from_fixture(self.views, mode))
        predicted = dict(zip((view.name for view in self.views), poses))
        pairs = {pair.name: pair for pair in result.pairs}
        for path, detection in self.detections:
            pair = pairs.get(path.name)
            caption = "" if pair is None else f"{pair.residual:.2f} px, {pair.mm:.1f} mm" + (
                "" if pair.used else ", left out")
            if detection is not None:
                detection = replace(detection, points=detection.points * result.scale)
            write_overlay(folder, path, detection, result.camera, predicted.get(path.name), caption)


def load_views(poses: list[RobotPose], images: list[Path], spec: str | None, camera: Path | None) -> CalibrationViews:
    """Views from images, or from the target poses in the pose file."""
    from posebot.robots.robot_poses import pair_images
    from posebot.robots.target_symmetry import resolve_target_symmetry
    from posebot.robots.targets import parse_target
    from posebot.robots.views import view_from_pixels, view_from_pose
    from posebot.video.intrinsics import load_intrinsics

    if not images and all(pose.cam_from_target is not None for pose in poses):
        return CalibrationViews([view_from_pose(Path(pose.name).name, pose.base_from_gripper, pose.cam_from_target)
                       for pose in poses if pose.cam_from_target is not None])
    if not images and any(pose.image is None for pose in poses):
        raise CalibrationError("calibrate hand-eye", "no images", "IMAGES, or poses that name their image")
    if spec is None or camera is None:
        raise CalibrationError("calibrate hand-eye", f"{'--target' if spec is None else '--camera'} is missing",
                         "the target in the images (--target) and the intrinsics of their camera (--camera)")
    pairs, target = pair_images(poses, expand_images(images) if images else []), parse_target(spec)
    if not pairs:
        raise InputError("--poses", "names none of the images", "file names of IMAGES under `image`")
    found = find_target([path for path, _ in pairs], target)
    seen = [(detection, pose.base_from_gripper) for detection, (_, pose) in zip(found, pairs) if detection is not None]
    if not seen:
        raise InputError("--target", f"{spec} is in none of {len(pairs)} images", "the target as it was printed")
    lens = load_intrinsics(camera).for_size(*seen[0][0].size)
    settled = resolve_target_symmetry([detection for detection, _ in seen], [pose for _, pose in seen], target, lens)
    views = [view_from_pixels(detection.name, pose, detection.points, detection.pixels, lens)
             for detection, (_, pose) in zip(settled, seen)]
    paths, turned = [path for path, _ in pairs], iter(settled)
    drawn = [None if detection is None else next(turned) for detection in found]
    return CalibrationViews(views, lens, missing_names(paths, found), list(zip(paths, drawn)))


def expand_images(images: Sequence[Path]) -> list[Path]:
    """Image files of files and folders, 2.png before 10.png."""
    from posebot.robots.robot_poses import natural_sort_key
    from posebot.video.images import list_image_files

    found: list[Path] = []
    for path in images:
        found += sorted(list_image_files(path), key=natural_sort_key) if path.is_dir() else [path]
    if not found:
        raise CalibrationError(images[0], "has no images", "PNG, JPEG, TIFF, BMP or WebP files")
    return found


def find_target(images: Sequence[Path], target: Target) -> list[Detection | None]:
    """Detect the target in every image, with a progress bar on stderr."""
    from rich.progress import track

    from posebot.robots.target_detection import make_target_detector
    from posebot.video.images import read_rgb

    find, screen = make_target_detector(target), console()
    bar = track(images, description="detecting the target", console=screen, transient=True,
                disable=not screen.is_terminal)
    found = [find(read_rgb(path), path.name) for path in bar]
    sizes = {detection.size for detection in found if detection is not None}
    if len(sizes) > 1:
        raise CalibrationError(images[0].parent, f"images of {len(sizes)} sizes: {sorted(sizes)}",
                               "one camera, one size")
    return found


def missing_names(images: Sequence[Path], found: Sequence[Detection | None]) -> list[str]:
    return [path.name for path, detection in zip(images, found) if detection is None]


def write_overlay(folder: Path, path: Path, detection: Detection | None, camera: Camera | None = None,
          cam_from_target: Array | None = None, caption: str = "") -> None:
    from posebot.robots.target_overlay import draw_detection
    from posebot.video.images import read_rgb
    from posebot.video.sinks import write_image

    folder.mkdir(parents=True, exist_ok=True)
    image = draw_detection(read_rgb(path), detection, camera, cam_from_target, caption)
    write_image(folder / f"{path.stem}.jpg", image)


def show_camera(result: CameraCalibration, missing: list[str], out: Path) -> None:
    K, sigma = result.camera.K, result.sigma
    _table(["image", "px", "tilt deg", ""],
           [[entry.name, f"{entry.error:.3f}", f"{entry.tilt_deg:.0f}", "" if entry.used else "left out"]
            for entry in result.images])
    values = zip(("fx", "fy", "cx", "cy"), (K[0, 0], K[1, 1], K[0, 2], K[1, 2]), sigma)
    _lines(", ".join(f"{name} {value:.2f} +- {spread:.2f}" for name, value, spread in values)
           + f" px; distortion {result.camera.distortion.round(4).tolist()}",
           f"reprojection error {result.error:.3f} px, {result.coverage:.0%} of the image covered")
    _close(result.warnings, missing, out)
    _lines(f"for images with depth, add a line to {out}: depth_scale: N, millimetres per unit of the depth images "
           "(1.0 for most cameras); colour images do not show it")


def show_hand_eye(result: HandEyeResult, content: dict[str, Any], missing: list[str], out: Path) -> None:
    unit, factor = ("px", 1.0) if result.camera is not None else ("mm", 1000.0)
    rows = [[pair.name, f"{pair.residual * factor:.2f}", f"{pair.mm:.2f}", f"{pair.deg:.3f}",
             f"{pair.left_out_mm:.2f}" if pair.used else "left out"] for pair in result.pairs]
    _table(["pair", f"residual {unit}", "mm", "deg", "without it, mm"], rows)
    _table(["solver", "from the refined, mm", "deg", f"residual {unit}"],
           [[entry.solver, f"{entry.mm:.2f}", f"{entry.deg:.3f}", f"{entry.residual * factor:.2f}"]
            for entry in result.solvers])
    summary, sigma = content["summary"], content["sigma"]
    name = "gripper_from_cam" if result.mode == "eye-in-hand" else "base_from_cam"
    position = ", ".join(f"{value * 1e3:.2f}" for value in content["translation_m"])
    spread = ", ".join(f"{value:.2f}" for value in sigma["translation_mm"])
    _lines(f"{name}: position ({position}) mm +- ({spread}), quaternion xyzw {content['quaternion_xyzw']}",
           f"residual {summary[f'residual_{unit}']} {unit}; a view's target is off by {summary['residual_median_mm']} "
           f"mm and {summary['residual_median_deg']} degrees in the median",
           f"solvers differ by {summary['solvers_median_mm']} mm in the median; leaving one view out moves the answer "
           f"by {summary['leave_one_out_mm']['max']} mm at most",
           f"arm noise {content['noise']['arm_mm']} mm, {content['noise']['arm_deg']} degrees")
    if result.scale_sigma > 0:
        _lines(f"the target is {result.scale:.4f} +- {result.scale_sigma:.4f} times its stated size")
    _close(result.warnings, missing, out)


def _table(header: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def _lines(*lines: str) -> None:
    screen = console()
    for line in lines:
        screen.print(line, soft_wrap=True, markup=False)


def _close(warnings: Sequence[str], missing: list[str], out: Path) -> None:
    found = [f"target not found in {', '.join(missing)}"] if missing else []
    _lines(*(f"warning: {text}" for text in [*warnings, *found]), f"wrote {out}")
