"""MCAP recordings for Foxglove and ROS tools: results as JSON, images as JPEG, with time stamps."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from posebot.video.sinks import Output, encode_image

RESULT_TOPIC, IMAGE_TOPIC, OVERLAY_TOPIC = "/posebot/result", "/posebot/image", "/posebot/overlay"
RESULT_SCHEMA = {
    "title": "posebot.FrameResult", "type": "object",
    "properties": {
        "schema": {"type": "integer"}, "frame_id": {"type": "string"}, "captured_at": {"type": "number"},
        "age_ms": {"type": "number"}, "stage_ms": {"type": "object"}, "dropped": {"type": "integer"},
        "camera": {"type": "object"}, "estimates": {"type": "array", "items": {"type": "object"}},
    },
}
_TIME = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}
# Foxglove's well-known schema: https://docs.foxglove.dev/docs/visualization/message-schemas/compressed-image
IMAGE_SCHEMA = {
    "title": "foxglove.CompressedImage", "type": "object",
    "properties": {"timestamp": _TIME, "frame_id": {"type": "string"}, "format": {"type": "string"},
                   "data": {"type": "string", "contentEncoding": "base64"}},
}


class McapSink:
    """One result, image and overlay per frame; `close` writes the index."""

    needs_image = True

    def __init__(self, path: str | Path) -> None:
        from mcap.writer import Writer

        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._file = Path(path).open("wb")  # noqa: SIM115 (closed by close)
        self._writer = Writer(self._file)
        self._writer.start(profile="", library="posebot")
        result = self._schema("posebot.FrameResult", RESULT_SCHEMA)
        image = self._schema("foxglove.CompressedImage", IMAGE_SCHEMA)
        self._channels = {topic: self._writer.register_channel(topic, "json", schema) for topic, schema in
                          ((RESULT_TOPIC, result), (IMAGE_TOPIC, image), (OVERLAY_TOPIC, image))}

    def write(self, output: Output) -> None:
        time_ns = round(output.frame.captured_at * 1e9)
        self._add(RESULT_TOPIC, output.result.to_json().encode(), time_ns)
        for topic, rgb in ((IMAGE_TOPIC, output.frame.rgb), (OVERLAY_TOPIC, output.overlay_image)):
            message = {"timestamp": {"sec": time_ns // 10**9, "nsec": time_ns % 10**9},
                       "frame_id": output.frame.frame_id, "format": "jpeg",
                       "data": base64.b64encode(encode_image(rgb)).decode("ascii")}
            self._add(topic, json.dumps(message).encode(), time_ns)

    def close(self) -> None:
        if not self._file.closed:
            self._writer.finish()
            self._file.close()

    def _add(self, topic: str, data: bytes, time_ns: int) -> None:
        self._writer.add_message(self._channels[topic], log_time=time_ns, publish_time=time_ns, data=data)

    def _schema(self, name: str, schema: Mapping[str, object]) -> int:
        return self._writer.register_schema(name, "jsonschema", json.dumps(schema).encode())
