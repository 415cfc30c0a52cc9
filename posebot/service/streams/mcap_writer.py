"""A stream's outputs as MCAP: results as JSON, images as JPEG, detections and poses as ROS 2 messages."""

from __future__ import annotations

import base64
import json
from typing import Any, BinaryIO

from posebot.core.results import FrameResult
from posebot.service.streams.cdr import CdrEncoder
from posebot.service.streams.output import StreamOutput
from posebot.video import ros_messages
from posebot.video.mcap import IMAGE_SCHEMA, IMAGE_TOPIC, RESULT_SCHEMA, RESULT_TOPIC

DETECTIONS_TOPIC, POSE_TOPIC = "/posebot/detections", "/posebot/pose/"
_JSON_SCHEMAS = {"posebot.FrameResult": RESULT_SCHEMA, "foxglove.CompressedImage": IMAGE_SCHEMA}


class StreamMcapWriter:
    """Writes one MCAP file."""

    def __init__(self, file: BinaryIO, stream: str) -> None:
        from mcap.writer import CompressionType, Writer

        self._stream = stream
        self._writer = Writer(file, compression=CompressionType.NONE)
        self._writer.start(profile="ros2", library="posebot")
        self._schemas = {name: self._writer.register_schema(name, "ros2msg", text.encode())
                         for name, text in ros_messages.DEFINITIONS.items()}
        self._schemas |= {name: self._writer.register_schema(name, "jsonschema", json.dumps(schema).encode())
                          for name, schema in _JSON_SCHEMAS.items()}
        self._encoders = {name: CdrEncoder(text) for name, text in ros_messages.DEFINITIONS.items()}
        self._channels: dict[str, int] = {}

    def write(self, output: StreamOutput) -> None:
        """Add a result and its image."""
        result, stamp = output.result, output.result.captured_at
        boxes = {model.obj_id: (model.center, model.extents) for model in output.objects}
        self._add_json(RESULT_TOPIC, "posebot.FrameResult", result.to_json(), stamp)
        self._add_json(IMAGE_TOPIC, "foxglove.CompressedImage", self._image(output), stamp)
        detections = ros_messages.detections(result, boxes, self._stream)
        self._add_ros(DETECTIONS_TOPIC, ros_messages.DETECTIONS_TYPE, detections, stamp)
        self._write_poses(result)

    def flush(self) -> None:
        """End the chunk: everything written so far can be read even if the file is never finished."""
        self._writer.flush()

    def finish(self) -> None:
        """Write the index."""
        self._writer.finish()

    def _write_poses(self, result: FrameResult) -> None:
        for estimate in result.estimates:
            if estimate.cam_from_obj is not None:
                topic = f"{POSE_TOPIC}{estimate.label}{'' if estimate.track_id is None else f'_{estimate.track_id}'}"
                message = ros_messages.stamped_pose(result, estimate, self._stream)
                self._add_ros(topic, ros_messages.POSE_TYPE, message, result.captured_at)

    def _image(self, output: StreamOutput) -> str:
        seconds, nanoseconds = divmod(round(output.result.captured_at * 1e9), 10**9)
        return json.dumps({"timestamp": {"sec": seconds, "nsec": nanoseconds}, "frame_id": self._stream,
                           "format": "jpeg", "data": base64.b64encode(output.jpeg("raw")).decode("ascii")})

    def _add_json(self, topic: str, schema: str, text: str, stamp: float) -> None:
        self._add(topic, "json", schema, text.encode(), stamp)

    def _add_ros(self, topic: str, schema: str, message: dict[str, Any], stamp: float) -> None:
        self._add(topic, "cdr", schema, self._encoders[schema](message), stamp)

    def _add(self, topic: str, encoding: str, schema: str, data: bytes, stamp: float) -> None:
        if topic not in self._channels:
            self._channels[topic] = self._writer.register_channel(topic, encoding, self._schemas[schema])
        time_ns = round(stamp * 1e9)
        self._writer.add_message(self._channels[topic], log_time=time_ns, publish_time=time_ns, data=data)
