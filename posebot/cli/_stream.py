"""Shared by `infer` and `demo`: clean interruption by Ctrl-C, and a table of results."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.table import Table

    from posebot.core.results import FrameResult, PoseEstimate
    from posebot.core.transforms import Array

Event = TypeVar("Event")
STYLES = {"ok": "green", "low_certainty": "yellow", "no_pose": "red"}
SHORT = {"ok": "ok", "low_certainty": "low", "no_pose": "no pose"}


class Interruption:
    """State of `until_interrupted`; `asked`: whether an interruption was requested."""

    asked = False

    def after(self, step: Callable[[Event], None]) -> Callable[[Event], None]:
        """The step of a loop that raises KeyboardInterrupt again after a request: one raised inside a destructor or a
        C callback is lost.
        """
        def stepped(event: Event) -> None:
            step(event)
            if self.asked:
                raise KeyboardInterrupt

        return stepped


@contextmanager
def until_interrupted() -> Iterator[Interruption]:
    """Ctrl-C and SIGTERM end the block without an exception."""
    interruption = Interruption()

    def stop(number: int, _: Any) -> None:
        interruption.asked = True
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    except KeyboardInterrupt:
        interruption.asked = True
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def result_table(result: FrameResult, rate: float, dropped: int) -> Table:
    """All objects of a result: position in metres and angles in degrees, in the base frame if known.

    Columns: name and track, position, angles, p_correct, radii of the 90 % region, number of views, status and reason.
    Fits into 80 columns; only the reason may be truncated.
    """
    from rich.table import Table

    known = any(estimate.base_from_obj is not None for estimate in result.estimates)
    title = (f"{result.frame_id}  {rate:.1f} frames/s  age {result.age_ms:.0f} ms  "
             f"pipeline {result.stage_ms.get('total', 0.0):.0f} ms  {dropped} dropped  "
             f"{'base' if known else 'camera'} frame")
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), expand=True)
    table.add_column("object", width=11, no_wrap=True)
    for name, width in {"x y z  m": 20, "roll pitch yaw": 14, "sure": 5, "90 % in": 9, "of": 3}.items():
        table.add_column(name, justify="right", width=width, no_wrap=True)
    table.add_column("status", ratio=1, no_wrap=True)
    for estimate in sorted(result.estimates, key=lambda e: (e.label, e.track_id or 0)):
        table.add_row(*_cells(estimate), style=STYLES[estimate.status])
    return table


def _cells(estimate: PoseEstimate) -> Sequence[str]:
    name = estimate.label if estimate.track_id is None else f"{estimate.label} #{estimate.track_id}"
    status = SHORT[estimate.status] + (f": {estimate.reason}" if estimate.reason else "")
    pose = estimate.cam_from_obj if estimate.base_from_obj is None else estimate.base_from_obj
    if pose is None:
        return name, "", "", "", "", "", status
    region = estimate.region90
    within = f"{region.translation_mm:.0f}mm {region.rotation_deg:.0f}°" if region else ""
    sure = "" if isnan(estimate.p_correct) else f"{100 * estimate.p_correct:.0f} %"
    x, y, z = pose[:3, 3]
    return (name, f"{x:.3f} {y:6.3f} {z:6.3f}", " ".join(f"{angle:4.0f}" for angle in roll_pitch_yaw(pose)),
            sure, within, str(estimate.views), status)


def roll_pitch_yaw(pose: Array) -> tuple[float, float, float]:
    """Degrees about the fixed x, y and z axes, in this order, as in URDF and ROS."""
    from scipy.spatial.transform import Rotation

    roll, pitch, yaw = Rotation.from_matrix(pose[:3, :3]).as_euler("xyz", degrees=True)
    return float(roll), float(pitch), float(yaw)
