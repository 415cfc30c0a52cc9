"""example_frame: an image that comes with the package, to try posebot without a camera."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from posebot.core.camera import Camera
from posebot.core.errors import InputError
from posebot.core.frame import Frame

FOLDER = Path(__file__).parent / "example"


def example_frame(view: int = 0) -> Frame:
    """A simulated image of the kit's objects on a table, with depth and the camera's pose; it comes with the package.

    Args:
        view: 0 or 1, two views of the same scene.
    Raises:
        InputError: there is no such view.

    Examples:
        >>> import posebot
        >>> posebot.example_frame()
        Frame('example/0', 640x480, depth 0.429..2.883 m, base_from_cam)
    """
    from posebot.video.images import read_depth, read_rgb

    scene = json.loads((FOLDER / "views.json").read_text(encoding="utf-8"))
    if view not in range(len(scene["views"])):
        raise InputError("view", f"is {view}", f"0 to {len(scene['views']) - 1}")
    entry = scene["views"][view]
    depth = read_depth(FOLDER / entry["depth"], scene["depth_scale"])
    return Frame(read_rgb(FOLDER / entry["image"]), Camera.from_dict(scene["camera"]), depth,
                 np.array(entry["base_from_cam"]), f"example/{view}")
