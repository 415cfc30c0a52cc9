"""Arguments of jobs: which ones each kind takes, and their validation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from posebot.core.errors import InputError
from posebot.service.settings import Settings

ArgumentType = Literal["path", "text", "integer", "number", "flag", "bundle"]
ARGUMENTS: dict[str, dict[str, ArgumentType]] = {
    "train": {"dataset": "path", "out": "path", "config": "path", "minutes": "number", "crops": "integer",
              "pictures": "integer", "detector": "text", "from": "bundle", "add": "path", "only": "text",
              "frames": "integer", "backgrounds": "path", "distractors": "path", "models": "path",
              "workers": "integer", "seed": "integer", "tiny": "flag"},
    "tune": {"dataset": "path", "out": "path", "trials": "integer", "minutes": "number", "seed": "integer"},
    "evaluate": {"dataset": "path", "split": "text", "bundle": "bundle", "out": "path", "objects": "text",
                 "processes": "integer"},
    "synth": {"objects": "path", "frames": "integer", "out": "path", "split": "text", "seed": "integer",
              "renderer": "text", "size": "text", "distance": "text", "workers": "integer", "depth-noise": "flag"},
}
REQUIRED = {"train": ("dataset|add|only", "out"), "tune": ("dataset",), "evaluate": ("dataset", "bundle"),
            "synth": ("objects", "frames", "out")}
"""Required arguments; of names separated by |, one is required."""
_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,x-]{0,99}")
_MAX_PATH = 400


def kinds() -> list[str]:
    """Kinds of jobs whose command is installed."""
    return [kind for kind in ARGUMENTS if find_spec(f"posebot.cli.{kind}") is not None]


def command_options(kind: str, arguments: Mapping[str, Any], settings: Settings) -> list[str]:
    """The options of the command, with absolute paths.

    Raises:
        InputError: an unknown or missing argument, one of the wrong type, or a path outside `jobs.folder`.
    """
    if kind not in kinds():
        raise InputError("kind", f"{kind!r} is unknown", f"one of {', '.join(kinds())}")
    _check_names(kind, arguments)
    options: list[str] = []
    for name, value in arguments.items():
        text = _option_text(ARGUMENTS[kind][name], value, f"arguments.{name}", settings)
        options += [] if text is None else [f"--{name}"] if text == "" else [f"--{name}", text]
    return options


def path_inside(folder: Path, relative: str, where: str) -> Path:
    """A path below `folder`, with symbolic links resolved. Raises InputError for any other."""
    folder = folder.resolve()
    if not relative or "\0" in relative or len(relative) > _MAX_PATH or relative.startswith(("/", "~", "-")):
        raise InputError(where, f"{relative!r:.60} is not a relative path", "a path below the jobs' folder")
    path = (folder / relative).resolve()
    if path == folder or folder not in path.parents:
        raise InputError(where, f"{relative!r:.60} is outside the jobs' folder", "a path below it")
    return path


def _check_names(kind: str, arguments: Mapping[str, Any]) -> None:
    known = ARGUMENTS[kind]
    for name in arguments:
        if name not in known:
            raise InputError(f"arguments.{name:.60}", f"{kind} has no such argument", f"one of {', '.join(known)}")
    for names in REQUIRED[kind]:
        if not any(name in arguments for name in names.split("|")):
            required = ", ".join(choice.replace("|", " or ") for choice in REQUIRED[kind])
            raise InputError(f"arguments.{names.split('|')[0]}", "is missing", f"{kind} needs {required}")


def _option_text(kind: ArgumentType, value: Any, where: str, settings: Settings) -> str | None:
    """The option's text; "" for a flag that is set, None for one that is not."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "flag" and isinstance(value, bool):
        return "" if value else None
    if kind == "integer" and number and value == int(value) and 0 <= value < 1e12:
        return str(int(value))
    if kind == "number" and number and 0 < value < 1e9:
        return repr(float(value))
    if kind == "text" and isinstance(value, str) and _TEXT.fullmatch(value):
        return value
    if kind == "bundle" and isinstance(value, str) and value in settings.bundles:
        return settings.bundles[value]
    if kind in ("path", "bundle") and isinstance(value, str):
        return str(path_inside(settings.jobs.folder, value, where))
    raise InputError(where, f"is {value!r:.60}", f"a {kind}" if kind != "text" else "letters, digits, . , _ -")
