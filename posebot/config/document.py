"""A YAML file as plain data that remembers the line of each key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from posebot.core.deprecation import renamed as report_renamed
from posebot.core.errors import ConfigError, InputError, MissingFileError

KeyPath = tuple[str, ...]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SECRET_KEY = re.compile(r"passw|secret|token|credential|^source$|^storage$|api_?key", re.IGNORECASE)
_MAX_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class Document:
    """Data of a configuration file.

    Attributes:
        where: the file, as messages name it. data: mappings, lists and scalars. lines: line number (from 1) of each key
            and list entry by its path of keys and indices. error_class: of the errors about this file.
        prefix: path of `data` in the file, of a section.
    """

    where: str
    data: Any
    lines: Mapping[KeyPath, int] = field(default_factory=dict, repr=False)
    error_class: type[InputError] = ConfigError
    prefix: KeyPath = ()

    def section(self, *path: object) -> Document:
        """The part of the data under a path of keys; its errors name the whole path."""
        data = self.data
        for key in path:
            data = data[key]
        return replace(self, data=data, prefix=(*self.prefix, *map(str, path)))

    def key(self, *path: object) -> str:
        """The whole path of a key, as errors name it: `cameras.wrist.fps`."""
        return ".".join((*self.prefix, *map(str, path)))

    def place(self, path: Sequence[object] = ()) -> str:
        """`file:line` of a key, or of the nearest key above it; the file alone where no line is known."""
        keys = (*self.prefix, *map(str, path))
        line = next((self.lines[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in self.lines), None)
        return f"{self.where}:{line}" if line else self.where

    def error(self, path: Sequence[object], problem: str, expected: str = "", code: str = "bad_value") -> InputError:
        """An error at a key: `file:line: key: problem; expected`. code: of a `ConfigError`, other classes have one."""
        key = self.key(*path)
        return self.error_class(self.place(path), f"{key}: {problem}" if key else problem, expected,
                                code=code if self.error_class is ConfigError else None)


def read_document(path: str | Path, *, where: object = None, renamed: Mapping[str, str] | None = None,
                  error_class: type[InputError] = ConfigError) -> Document:
    """Read a YAML file; an empty one gives {}.

    Args:
        where: how messages name the file, default: its path.
        renamed: deprecated keys: path pattern (`detector.looks`, `calibration.*.alike`; `*` stands for any key) to the
            new name of the last key. They are read as the new key and reported once.
        error_class: of the errors about this file.
    Raises:
        InputError: the file is missing or not readable, not valid YAML, or gives a key twice. Messages never quote the
            file's text, which may hold a password.
    """
    shown = str(path if where is None else where)
    try:
        text = Path(path).read_text("utf-8")
    except FileNotFoundError:
        raise MissingFileError(shown, "no such file", "a YAML file") from None
    except OSError as error:
        raise error_class(shown, error.strerror or "cannot be read", "a YAML file") from None
    except UnicodeDecodeError:
        raise error_class(shown, "is not text", "a YAML file in UTF-8") from None
    lines: dict[KeyPath, int] = {}
    document = Document(shown, {}, lines, error_class)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return document
        lines.update(_walk(node, (), document, dict(renamed or {}), set()))
        data = loader.construct_document(node)
        return document if data is None else replace(document, data=data)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = re.sub(r"'[^'\s]{3,}'", "'…'", str(getattr(error, "problem", None) or "")).strip()
        raise error_class(f"{shown}:{mark.line + 1}" if mark else shown,
                          "is not valid YAML" + (f": {problem}" if problem else ""), "key: value",
                          code="bad_yaml" if error_class is ConfigError else None) from None
    except RecursionError:
        raise error_class(shown, "is nested too deeply", "key: value") from None


def with_lines(where: str, data: Any, text: str, error_class: type[InputError] = ConfigError) -> Document:
    """Data that another parser read from a text, with the lines of its keys.

    Lines are unknown where the text is not valid YAML. Raises InputError if a key is given twice.
    """
    lines: dict[KeyPath, int] = {}
    document = Document(where, data, lines, error_class)
    with suppress(yaml.YAMLError, RecursionError):
        node = _Loader(text).get_single_node()
        if node is not None:
            lines.update(_walk(node, (), document, {}, set()))
    return document


def shown_value(value: Any, path: Sequence[object] = ()) -> str:
    """A value as a message may quote it: short, and nothing of what may be a secret."""
    if any(_SECRET_KEY.search(str(part)) for part in path):
        return "the value"
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = " ".join(str(value).split())
    if "://" in text:
        return f"{text.partition('://')[0]}://…"
    return f"{text[:_MAX_SHOWN]}…" if len(text) > _MAX_SHOWN else text or "empty text"


def _walk(node: yaml.Node, path: KeyPath, document: Document, renamed: Mapping[str, str], seen: set[int]
          ) -> Iterator[tuple[KeyPath, int]]:
    """The line of every key. Renames deprecated keys in the node tree, so that the data has the new ones."""
    yield path, node.start_mark.line + 1
    if id(node) in seen:  # an alias: its keys are known, and it may contain itself
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            yield from _walk(entry, (*path, str(index)), document, renamed, seen)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if new := _new_name((*path, str(key.value)), renamed):
                report_renamed(f"{document.where}:{line}", str(key.value), new)
                key.value = new
            name = str(key.value)
            if name in first and name != "<<":
                raise document.error_class(f"{document.where}:{line}", f"{'.'.join((*path, name))}: given twice, "
                                           f"before on line {first[name]}", "each key once")
            first[name] = line
            yield from _walk(value, (*path, name), document, renamed, seen)
            yield (*path, name), line


def _new_name(path: KeyPath, renamed: Mapping[str, str]) -> str | None:
    for pattern, new in renamed.items():
        parts = pattern.split(".")
        if len(parts) == len(path) and all(part in ("*", key) for part, key in zip(parts, path, strict=True)):
            return new
    return None
