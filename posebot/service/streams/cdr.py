"""CDR serialization of ROS 2 messages (XCDR version 1, little-endian), driven by their message definitions.

Supports what `video.ros_messages` needs: nested messages, strings, numbers, fixed arrays and sequences.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any

_HEADER = b"\x00\x01\x00\x00"  # CDR, little-endian
_NUMBERS = {"int32": "i", "uint32": "I", "float64": "d"}
_FIELD = re.compile(r"(?P<type>[\w/]+)(?P<array>\[(?P<size>\d*)\])? (?P<name>\w+)")
Fields = list[tuple[str, str, int | None]]
"""Name, type and length of each field: 0 for a sequence, None for a single value."""


class CdrEncoder:
    """Serializes messages of one type, given as nested dictionaries.

    Args:
        definition: as in MCAP's `ros2msg` schemas: the message's fields, then those of each type that it uses.
    """

    def __init__(self, definition: str) -> None:
        top, *parts = re.split(r"\n=+\nMSG: ", definition)
        self._top = _fields(top)
        self._types = {name: _fields(text) for name, _, text in (part.partition("\n") for part in parts)}

    def __call__(self, message: Mapping[str, Any]) -> bytes:
        body = bytearray()
        self._write_fields(self._top, message, body)
        return _HEADER + bytes(body)

    def _write_fields(self, fields: Fields, message: Mapping[str, Any], body: bytearray) -> None:
        for name, kind, length in fields:
            values = [message[name]] if length is None else message[name]
            if length == 0:
                _write_number("I", len(values), body)
            for value in values:
                self._write(kind, value, body)

    def _write(self, kind: str, value: Any, body: bytearray) -> None:
        if kind in _NUMBERS:
            _write_number(_NUMBERS[kind], value, body)
        elif kind == "string":
            text = value.encode() + b"\0"
            _write_number("I", len(text), body)
            body += text
        else:
            self._write_fields(self._types[kind], value, body)


def _write_number(code: str, value: float, body: bytearray) -> None:
    """Numbers are aligned to their own size."""
    size = struct.calcsize(code)
    body += bytes(-len(body) % size) + struct.pack(f"<{code}", value)


def _fields(text: str) -> Fields:
    return [(match["name"], match["type"], None if match["array"] is None else int(match["size"] or 0))
            for match in _FIELD.finditer(text)]
