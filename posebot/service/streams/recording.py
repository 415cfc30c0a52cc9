"""Recordings of a stream: JSON lines and MCAP, a new file when one is full, the oldest removed.

What was written is handed to the disk every second: a crash, also of the machine, loses no more than that.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from posebot.core.objects import ObjectModel
from posebot.service.settings import Record
from posebot.service.streams import ros_messages as ros
from posebot.service.streams.output import StreamOutput
from posebot.video.mcap import IMAGE_SCHEMA, IMAGE_TOPIC, RESULT_SCHEMA, RESULT_TOPIC

_SYNC_S = 1.0
DETECTIONS_TOPIC, POSE_TOPIC = "/posebot/detections", "/posebot/pose/"


class _Writer(Protocol):
    def write(self, published: StreamOutput) -> None: ...

    def flush(self) -> None: ...

    def finish(self) -> None: ...


class Recorder:
    """Writes all that a stream publishes into `folder`. Not for several threads at once."""

    def __init__(self, folder: Path, settings: Record, stream: str) -> None:
        self.folder, self.settings, self.stream = folder, settings, stream
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, tuple[BinaryIO, _Writer]] = {}
        self._synced = time.monotonic()

    def write(self, published: StreamOutput) -> None:
        """Add a result. Raises OSError where the disk is full."""
        for kind in [kind for kind in ("jsonl", "mcap") if getattr(self.settings, kind)]:
            file, writer = self._opened(kind)
            writer.write(published)
            if file.tell() > self.settings.megabytes * 1e6:
                self._close(kind)
        if time.monotonic() - self._synced >= _SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Hand everything to the disk."""
        self._synced = time.monotonic()
        for file, writer in self._files.values():
            writer.flush()
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Finish all files."""
        for kind in list(self._files):
            self._close(kind)

    def status(self) -> dict[str, Any]:
        """See `schemas.streams.Recording`."""
        files = _recorded(self.folder)
        return {"files": [file.name for file in files], "bytes": sum(file.stat().st_size for file in files)}

    def _opened(self, kind: str) -> tuple[BinaryIO, _Writer]:
        if kind not in self._files:
            for old in [file for file in _recorded(self.folder) if file.suffix == f".{kind}"][:-self.settings.keep]:
                old.unlink(missing_ok=True)
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f".{time.time_ns() // 10**6 % 1000:03d}Z"
            file = (self.folder / f"{stamp}.{kind}").open("xb")
            self._files[kind] = file, (_Lines(file) if kind == "jsonl" else McapWriter(file, self.stream))
        return self._files[kind]

    def _close(self, kind: str) -> None:
        file, writer = self._files.pop(kind)
        writer.finish()
        file.close()


def _recorded(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z\.(jsonl|mcap)", file.name))


class _Lines:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, published: StreamOutput) -> None:
        self._file.write(published.result.to_json().encode() + b"\n")
        self._file.flush()

    def flush(self) -> None:
        pass

    def finish(self) -> None:
        pass


class McapWriter:
    """One MCAP file: results as JSON, pictures as JPEG, detections and the pose of each object as ROS 2 messages."""

    def __init__(self, file: BinaryIO, stream: str) -> None:
        from mcap.writer import CompressionType, Writer
        from mcap_ros2._dynamic import serialize_dynamic

        self._stream = stream
        self._writer = Writer(file, compression=CompressionType.NONE)
        self._writer.start(profile="ros2", library="posebot")
        self._encode = {name: serialize_dynamic(name, text)[name] for name, text in ros.DEFINITIONS.items()}
        self._schemas = {name: self._writer.register_schema(name, "ros2msg", text.encode())
                         for name, text in ros.DEFINITIONS.items()}
        for name, schema in (("posebot.FrameResult", RESULT_SCHEMA), ("foxglove.CompressedImage", IMAGE_SCHEMA)):
            self._schemas[name] = self._writer.register_schema(name, "jsonschema", json.dumps(schema).encode())
        self._channels: dict[str, int] = {}

    def write(self, published: StreamOutput) -> None:
        """Add a result and its picture."""
        result, objects = published.result, published.objects
        boxes = {model.obj_id: _box(model) for model in objects}
        self._json(RESULT_TOPIC, "posebot.FrameResult", result.to_json(), result.captured_at)
        self._json(IMAGE_TOPIC, "foxglove.CompressedImage", self._picture(published), result.captured_at)
        self._ros(DETECTIONS_TOPIC, ros.DETECTIONS_TYPE, ros.detections(result, boxes, self._stream),
                  result.captured_at)
        for estimate in result.estimates:
            if estimate.cam_from_obj is not None:
                topic = f"{POSE_TOPIC}{estimate.label}{'' if estimate.track_id is None else f'_{estimate.track_id}'}"
                self._ros(topic, ros.POSE_TYPE, ros.stamped_pose(result, estimate, self._stream), result.captured_at)

    def flush(self) -> None:
        """End the chunk, so that all that was written can be read even if the file is never finished."""
        self._writer.flush()

    def finish(self) -> None:
        """Write the index."""
        self._writer.finish()

    def _picture(self, published: StreamOutput) -> str:
        seconds, nanoseconds = divmod(round(published.result.captured_at * 1e9), 10**9)
        return json.dumps({"timestamp": {"sec": seconds, "nsec": nanoseconds}, "frame_id": self._stream,
                           "format": "jpeg", "data": base64.b64encode(published.jpeg("raw")).decode("ascii")})

    def _json(self, topic: str, schema: str, text: str, stamp: float) -> None:
        self._add(topic, "json", schema, text.encode(), stamp)

    def _ros(self, topic: str, schema: str, message: dict[str, Any], stamp: float) -> None:
        self._add(topic, "cdr", schema, self._encode[schema](message), stamp)

    def _add(self, topic: str, encoding: str, schema: str, data: bytes, stamp: float) -> None:
        if topic not in self._channels:
            self._channels[topic] = self._writer.register_channel(topic, encoding, self._schemas[schema])
        time_ns = round(stamp * 1e9)
        self._writer.add_message(self._channels[topic], log_time=time_ns, publish_time=time_ns, data=data)


def _box(model: ObjectModel) -> Any:
    return model.center, model.extents
