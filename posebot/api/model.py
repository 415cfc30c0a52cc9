"""load and Model: a bundle that is called with an image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from posebot.api.arguments import Image, frame_from
from posebot.api.result import Result
from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate

if TYPE_CHECKING:
    from posebot.models.bundle import Bundle


def load(name: str | PathLike[str], *, depth: bool = True, runtime: str = "auto", threads: int = 0, limit: int = 20,
         masks: bool = False) -> Model:
    """Load a model: detector, localizer, pose stage and calibration of one bundle.

    Args:
        name: a packaged bundle (`"kit"`), or the path of a bundle's folder (`"./kit"`) or zip (`"kit.zip"`).
        depth: whether depth images are used where they are given.
        runtime: of the networks: "auto", "openvino", "openvino-bf16", "onnxruntime" or "cuda".
        threads: of the networks, and objects solved at once; 0: as many as there are cores.
        limit: most objects that are estimated in one image.
        masks: whether estimates get a `mask` of the visible pixels.
    Raises:
        InputError: there is no such bundle, it is damaged, the name is ambiguous, or the runtime is not available.

    Examples:
        >>> import posebot
        >>> model = posebot.load("kit")
        >>> model.labels[:3]
        ('tea_box', 'can', 'mug')
    """
    from posebot.models.bundle import Bundle

    reference = name if isinstance(name, str) else os.path.join(".", name)  # a path object is never a packaged name
    return Model(Bundle.open(reference), depth=depth, runtime=runtime,
                 threads=threads, limit=limit, masks=masks)


class Model:
    """A loaded bundle. Called with an image it returns the poses of all objects in it.

    Views are fused where `base_from_cam` says where the camera was: the same model, called with several images of one
    scene, joins them, and `reset` begins another scene. A model is for one camera and one thread.

    Attributes:
        name, version: of the bundle. objects: meshes, sizes and symmetries, in class order. labels: their names.

    Examples:
        >>> import posebot
        >>> model = posebot.load("kit")
        >>> first, second = (model(posebot.example_frame(view)) for view in (0, 1))  # two views of one scene are fused
        >>> max(pose.views for pose in first), max(pose.views for pose in second)
        (1, 2)
        >>> model.reset()
    """

    def __init__(self, bundle: Bundle, *, depth: bool = True, runtime: str = "auto", threads: int = 0, limit: int = 20,
                 masks: bool = False) -> None:
        from posebot.stages.pipeline import Pipeline

        self.name, self.version = bundle.manifest.name, bundle.manifest.version
        self.objects: tuple[ObjectModel, ...] = tuple(bundle.objects)
        self.labels: tuple[str, ...] = tuple(model.label for model in self.objects)
        self._pipeline = Pipeline(bundle, depth=depth, runtime=runtime, threads=threads, limit=limit, masks=masks)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, version {self.version}, {len(self.objects)} objects: {', '.join(self.labels)})"

    def __call__(self, image: Frame | Image, *, K: ArrayLike | None = None, camera: Camera | None = None,
                 depth: ArrayLike | None = None, base_from_cam: ArrayLike | None = None, frame_id: str = "",
                 captured_at: float | None = None) -> Result:
        """Estimate the poses of all objects in an image.

        Args:
            image: uint8 (H, W, 3), red first (OpenCV's `imread` gives blue first: `image[..., ::-1]`), a PIL image,
                the path of an image file, or a `Frame`, which holds all the other arguments.
            K: 3x3 pinhole matrix of exactly this image, pixels, pixel centres at whole numbers.
            camera: instead of K, a `Camera`, for images with lens distortion.
            depth: float (H, W) metres along z, registered to the image; 0 or NaN: no reading.
            base_from_cam: 4x4, metres: the camera's pose in the robot's base frame. Views are then fused, and
                estimates get `base_from_obj`.
            frame_id: name of the image in the result. captured_at: seconds since 1970; default: now.
        Raises:
            InputError: an argument is missing or has the wrong shape, type or unit.
        """
        frame = frame_from(image, K, camera, depth, base_from_cam, frame_id, captured_at)
        return Result.of(self._pipeline(frame), self.objects, frame.camera)

    def stream(self, frames: Iterable[Frame]) -> Iterator[Result]:
        """Results of frames as they come, such as those of `posebot.open_camera`."""
        return (self(frame) for frame in frames)

    def map(self) -> list[PoseEstimate]:
        """All objects that fusion holds to be in the scene, in view or not; empty without `base_from_cam`."""
        return self._pipeline.map()

    def reset(self) -> None:
        """Forget the views so far: another scene, or another camera."""
        self._pipeline.reset()
