"""Small files: JSON objects read with clear errors, and everything written in one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from posebot.core.errors import MeshError, MissingFileError
from posebot.core.files import write_atomic


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError where it is missing, damaged or of another kind."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError(path, "no such file", 'a JSON object such as {"1": {…}}') from error
    except (ValueError, OSError) as error:
        raise MeshError(path, f"is no JSON ({error})", 'a JSON object such as {"1": {…}}') from error
    if not isinstance(content, dict):
        raise MeshError(path, f"holds a {type(content).__name__}", 'a JSON object such as {"1": {…}}')
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, one line for each key, in one step: a reader sees the old file or the new, never half."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    write_atomic(path, "{\n" + ",\n".join(lines) + "\n}\n")
