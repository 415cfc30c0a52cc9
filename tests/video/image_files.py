"""Files made for tests: images and videos of the plumbing bundle's brick, in which every frame is different."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.video.plumbing import BOX, HEIGHT, WIDTH


def image(number: int) -> NDArray[np.uint8]:
    """A image (H, W, 3), red first, of the brick's front; the background is different for every number."""
    ramp = np.linspace(0, 200, WIDTH).astype(np.uint8)
    background = np.stack([np.tile(ramp, (HEIGHT, 1)), np.full((HEIGHT, WIDTH), number % 25 * 10, np.uint8),
                           np.full((HEIGHT, WIDTH), 60, np.uint8)], axis=-1)
    share = np.outer(_covered(HEIGHT, BOX[1], BOX[3]), _covered(WIDTH, BOX[0], BOX[2]))[..., None]
    return np.rint(background * (1 - share) + 250 * share).astype(np.uint8)


def _covered(pixels: int, low: float, high: float) -> NDArray[np.float64]:
    """Share of each pixel (its centre is a whole number) that lies between low and high."""
    edges = np.clip(np.arange(pixels + 1) - 0.5, low, high)
    return np.diff(edges)


def write_png(path: Path, rgb: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def write_video(path: Path, frames: int, fps: int = 10) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 1
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image(number), format="rgb24")))
        container.mux(stream.encode())
    return path
