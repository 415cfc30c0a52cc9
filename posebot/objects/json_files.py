"""JSON files: validated reading, atomic writing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from posebot.core.errors import MeshError, MissingFileError
from posebot.core.files import write_atomic


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: the file is missing, unreadable, not valid JSON, or holds something other than an object.
    """
    expected = 'a JSON object such as {"1": {…}}'
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError(path, "no such file", expected) from error
    except (ValueError, OSError) as error:
        raise MeshError(path, f"is not valid JSON ({error})", expected) from error
    if not isinstance(content, dict):
        raise MeshError(path, f"is a JSON {type(content).__name__}", expected)
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, one key per line, atomically."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    write_atomic(path, "{\n" + ",\n".join(lines) + "\n}\n")
