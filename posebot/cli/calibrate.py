"""`posebot calibrate`: printable targets, intrinsics, hand-eye calibration.

Exit codes: 0 calibrated (there may be warnings), 2 bad images, poses or options, 4 inconclusive (degenerate motion).
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posebot.cli._calibrate import (
    expand_images,
    find_target,
    load_views,
    missing_names,
    show_camera,
    show_hand_eye,
    write_overlay,
)
from posebot.cli._common import JsonFlag, print_json
from posebot.core.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Intrinsics, hand-eye pose, printable targets. How to: docs/how-to/hand-eye.md.",
    epilog="Exit codes: 0 calibrated, with or without warnings; 2 bad images, poses or options; 4 inconclusive.",
)


class ModeName(StrEnum):
    """Where the camera is."""

    eye_in_hand = "eye-in-hand"
    eye_to_hand = "eye-to-hand"


class Distortion(StrEnum):
    """Distortion models: none; k1 k2 p1 p2; and k3; and k4 k5 k6."""

    none = "none"
    radtan4 = "radtan4"
    radtan5 = "radtan5"
    rational = "rational"


class Paper(StrEnum):
    """Sheet sizes."""

    fit = "fit"
    a4 = "a4"
    a3 = "a3"
    letter = "letter"


TargetOption = Annotated[str, typer.Option("--target", help="Such as charuco:7x5:40mm:30mm:DICT_4X4_50, "
                                           "chessboard:9x6:25mm, apriltag:36h11:48mm:id0, circles:10x10:25.4mm; or a "
                                           "YAML file.")]
OverlayOption = Annotated[Path | None, typer.Option("--overlay", help="Folder for images with the detected points.")]
KeepFlag = Annotated[bool, typer.Option("--keep-outliers", help="Keep all images.")]


@app.command()
def target(
    spec: Annotated[str, typer.Option("--target", help="Target to print; a single tag is id0 unless given.")],
    out: Annotated[Path, typer.Option("--out", help="PDF (best) or PNG to write, true size.")],
    paper: Annotated[Paper, typer.Option("--paper", help="Sheet; fit: the required size.")] = Paper.fit,
    dpi: Annotated[int, typer.Option("--dpi", min=100, max=1200, help="Resolution of a PNG.")] = 600,
) -> None:
    """Write a printable calibration target. Print at 100 % and measure the printed line."""
    from posebot.robots.target_pdf import write_target_sheet
    from posebot.robots.targets import parse_target

    paper_size = "" if paper is Paper.fit else paper.value
    sheet = write_target_sheet(out, parse_target(spec), f"posebot {spec}", paper_size, dpi)
    size = f"{sheet[0] * 1e3:.0f} x {sheet[1] * 1e3:.0f} mm"
    typer.echo(f"wrote {out}: {size}; print at 100 % and measure the line of 100 mm")


@app.command()
def camera(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Images of the target, or folders.")],
    spec: TargetOption,
    out: Annotated[Path, typer.Option("--out", help="Intrinsics to write, for posebot infer --camera.")]
    = Path("camera.yaml"),
    lens: Annotated[Distortion, typer.Option("--lens", help="Distortion: none, radtan4, radtan5 or rational.")]
    = Distortion.radtan4,
    keep_outliers: KeepFlag = False,
    overlay: OverlayOption = None,
    json: JsonFlag = False,
) -> None:
    """Intrinsics and distortion from images of a target, with the error of every image."""
    from posebot.robots.calibration_files import camera_to_dict, write_yaml
    from posebot.robots.camera_calibration import calibrate_camera
    from posebot.robots.targets import parse_target

    images = expand_images(images)
    found = find_target(images, parse_target(spec))
    detections = [detection for detection in found if detection is not None]
    result = calibrate_camera(detections, lens.value, reject_outliers=not keep_outliers)
    content = camera_to_dict(result, spec)
    write_yaml(out, content)
    if overlay is not None:
        errors = {image.name: f"{image.error:.2f} px" + ("" if image.used else ", left out")
                  for image in result.images}
        for path, detection in zip(images, found):
            write_overlay(overlay, path, detection, caption=errors.get(path.name, ""))
    if json:
        return print_json(content | {"out": str(out), "not_found": missing_names(images, found)})
    return show_camera(result, missing_names(images, found), out)


@app.command("hand-eye")
def hand_eye(
    poses: Annotated[Path, typer.Option("--poses", help="Robot poses: JSON, YAML, CSV, or a folder of one file each.")],
    mode: Annotated[ModeName, typer.Option("--mode", help="eye-in-hand: camera on the gripper, target fixed. "
                                           "eye-to-hand: camera fixed, target on the gripper.")],
    images: Annotated[list[Path] | None, typer.Argument(metavar="[IMAGES...]", help="Images of the target, or "
                                                        "folders; none where --poses names them.")] = None,
    spec: Annotated[str | None, TargetOption.__metadata__[0]] = None,
    camera: Annotated[Path | None, typer.Option("--camera", help="Intrinsics: posebot calibrate camera writes them.")]
    = None,
    out: Annotated[Path, typer.Option("--out", help="Calibration to write.")] = Path("hand_eye.yaml"),
    fit_scale: Annotated[bool, typer.Option("--fit-scale", help="Estimate the scale of the target.")] = False,
    fit_camera: Annotated[bool, typer.Option("--fit-camera", help="Refine the intrinsics.")] = False,
    camera_out: Annotated[Path | None, typer.Option("--camera-out", help="File for the refined intrinsics.")] = None,
    arm_mm: Annotated[float | None, typer.Option("--arm-mm", min=0, help="Standard deviation of the robot's position; "
                                                 "default: estimated. With --arm-deg.")] = None,
    arm_deg: Annotated[float | None, typer.Option("--arm-deg", min=0, help="Same, rotation, degrees.")] = None,
    keep_outliers: KeepFlag = False,
    overlay: OverlayOption = None,
    json: JsonFlag = False,
) -> None:
    """Pose of the camera on the gripper (or in the base frame), with covariance, residuals and warnings."""
    from math import radians

    from posebot.robots.calibration_files import hand_eye_to_dict, write_yaml
    from posebot.robots.hand_eye import HandEyeOptions, calibrate_hand_eye
    from posebot.robots.refinement_problem import FreeParameters
    from posebot.robots.robot_poses import read_poses

    if (arm_mm is None) != (arm_deg is None):
        raise InputError("--arm-mm", "needs --arm-deg and vice versa", "both, or none to estimate them")
    arm = None if arm_mm is None or arm_deg is None else (arm_mm / 1e3, radians(arm_deg))
    shots = load_views(read_poses(poses), images or [], spec, camera)
    options = HandEyeOptions(arm, FreeParameters(fit_scale, fit_camera), reject_outliers=not keep_outliers)
    result = calibrate_hand_eye(shots.views, mode.value, shots.camera, options)
    content = hand_eye_to_dict(result, spec or "")
    write_yaml(out, content)
    if camera_out is not None and result.camera is not None:
        write_yaml(camera_out, result.camera.to_dict())
    if overlay is not None:
        shots.draw(overlay, result, mode.value)
    if json:
        return print_json(content | {"out": str(out), "not_found": shots.missing})
    return show_hand_eye(result, content, shots.missing, out)
