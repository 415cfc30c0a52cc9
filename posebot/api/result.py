"""Result: a FrameResult that can be drawn and exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import FrameResult

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

    from posebot.api.arguments import Image


@dataclass(frozen=True, eq=False, repr=False)
class Result(FrameResult):
    """The result of one image: a sequence of `PoseEstimate`, with drawing and export.

    Iterating, `len` and indexing go over the estimates. `result.to_json()` is one line of results.jsonl, and
    `Result.from_dict(json.loads(line))` reads it.

    Attributes:
        objects: the model's objects, for outlines and sizes; empty where a service or a file gave the result.
        image_camera: camera of the image as it was given; None: `camera`. Boxes and poses belong to `camera`, the
            undistorted one.

    Examples:
        >>> import json, posebot
        >>> frame = posebot.example_frame()
        >>> result = posebot.load("kit")(frame)
        >>> [pose.label for pose in result if pose.status == "ok"][:3], str(result.model)[:3]
        (['spool', 'can', 'tea_box'], 'kit')
        >>> result[0].cam_from_obj.shape, result[0].region90.translation_mm < 10
        ((4, 4), True)
        >>> result.plot(frame).size
        (640, 504)
        >>> [row["t"].shape for row in result.to_bop(scene_id=1, im_id=0)][0]
        (3, 1)
        >>> sorted(result.to_coco()[0])
        ['bbox', 'category_id', 'image_id', 'score']
        >>> result.to_ros()["header"]["frame_id"]  # the example knows where the camera was
        'base'
        >>> posebot.Result.from_dict(json.loads(result.to_json()))[0].label
        'spool'
    """

    objects: tuple[ObjectModel, ...] = field(default=(), compare=False)
    image_camera: Camera | None = field(default=None, compare=False)

    @classmethod
    def of(cls, result: FrameResult, objects: Sequence[ObjectModel] = (), image_camera: Camera | None = None) -> Self:
        """A FrameResult with what drawing and export need."""
        values = {entry.name: getattr(result, entry.name) for entry in fields(FrameResult)}
        return cls(**values, objects=tuple(objects), image_camera=image_camera)

    def plot(self, image: Image | Frame, *, objects: Sequence[ObjectModel] = (), scale: int = 1) -> PilImage:
        """The image with boxes, outlines, axes (x red, y green, z blue) and certainties drawn on it.

        Args:
            image: the image that the result is of, as it was given to the model; a distorted one is undistorted first.
            objects: for outlines, where the result has none: `posebot.load(NAME).objects`.
            scale: the image is enlarged by this whole number first.
        Returns:
            An RGB `PIL.Image.Image`, with a line of facts below the image; save it by `.save("overlay.png")`.
        Raises:
            InputError: the image has another size or type.
        """
        from PIL import Image as pil

        from posebot.api.arguments import rgb_from
        from posebot.stages.undistort import undistort
        from posebot.video.overlay import Overlay

        rgb = image.rgb if isinstance(image, Frame) else rgb_from(image)
        frame = undistort(Frame(rgb, self.image_camera or self.camera, frame_id=self.frame_id))
        return pil.fromarray(Overlay(objects or self.objects, scale).draw(frame, self))

    def to_bop(self, path: str | PathLike[str] | None = None, *, scene_id: int | None = None,
               im_id: int | None = None) -> list[dict[str, Any]]:
        """The poses in the form of bop_toolkit's `inout.load_bop_results`.

        Args:
            path: also write them as a BOP csv. scene_id, im_id: default: from a `frame_id` such as "000002/000038".
        Returns:
            For each estimate with a pose: scene_id, im_id, obj_id, score, R (3x3), t (3x1, millimetres), time
            (seconds for the image, -1 where unknown).
        Raises:
            InputError: the frame_id has no scene and image number, and they are not given.
        """
        from posebot.api.export import bop_rows, write_bop_csv

        rows = bop_rows(self, scene_id, im_id)
        if path is not None:
            write_bop_csv(path, rows)
        return rows

    def to_coco(self, image_id: int = 0) -> list[dict[str, Any]]:
        """The detections in the form of COCO's results.

        Args:
            image_id: of the data set that they belong to.
        Returns:
            For each estimate: image_id, category_id (`obj_id`), score (the detector's), bbox [x, y, width, height] in
            pixels from the image's upper left corner; segmentation, an uncompressed RLE {"size": [height, width],
            "counts": [...]}, where the model was loaded with `masks=True`.
        """
        from posebot.api.export import coco_detections

        return coco_detections(self, image_id)

    def to_ros(self, camera_frame: str = "camera") -> dict[str, Any]:
        """The poses as a ROS 2 message `vision_msgs/msg/Detection3DArray` (vision_msgs 4), as nested dictionaries.

        Poses are in the frame `base` where `base_from_cam` is known for all of them, else in `camera_frame`.
        Quaternions are x, y, z, w; covariance 6x6 row-major, metres and radians; the bounding box is the object's.

        Args:
            camera_frame: name of the camera's optical frame.
        """
        from posebot.video.ros_messages import detections

        boxes = {model.obj_id: (model.center, model.extents) for model in self.objects}
        unknown = {estimate.obj_id for estimate in self} - boxes.keys()
        return detections(self, boxes | {number: (np.zeros(3), np.zeros(3)) for number in unknown}, camera_frame)
