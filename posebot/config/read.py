"""Plain data to typed settings: errors of pydantic become one line with file, line, key, value and what is expected."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from posebot.config.document import Document, read_document, shown_value
from posebot.config.schema import describe, json_schema, schema_at
from posebot.core.errors import ConfigError, InputError

Model = TypeVar("Model")
_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}
_NOT_A_MAPPING = {"model_type", "dataclass_type", "dict_type", "model_attributes_type", "mapping_type"}


def read_yaml(path: str | Path, kind: type[Model], *, over: Model | None = None, where: object = None,
              renamed: Mapping[str, str] | None = None, strict: bool = True,
              error_class: type[InputError] = ConfigError) -> Model:
    """Read a YAML file into a pydantic model or a dataclass.

    Args:
        kind: the model; keys that it lacks are refused if it says so (`extra="forbid"`). over: settings that hold where
            the file says nothing (default: the defaults of `kind`). where, renamed, error_class: see `read_document`.
        strict: no conversions ("8000" is not a number, true is not 1); whole numbers still pass as numbers.
    Raises:
        InputError: not readable, not valid YAML, an unknown key, or a value that does not fit.
    """
    document = read_document(path, where=where, renamed=renamed, error_class=error_class)
    if over is not None and isinstance(document.data, dict):
        base = adapter(kind).dump_python(over, mode="json")
        document = replace(document, data=_merged(base, document.data))
    return validate(document, kind, strict=strict)


def validate(document: Document, kind: type[Model], *, strict: bool = True) -> Model:
    """The data of a document as `kind`; see `read_yaml`. Raises InputError for the first invalid value."""
    if not isinstance(document.data, dict):
        raise document.error((), f"the document is {_article(document.data)}; it must be a mapping", "key: value")
    try:
        if not strict:
            return adapter(kind).validate_python(document.data)
        # strict JSON mode accepts what YAML cannot express: tuples as lists, paths as text, numbers as keys
        return adapter(kind).validate_json(json.dumps(_text_keys(document.data), default=str), strict=True)
    except ValidationError as error:
        raise _input_error(document, kind, error) from None
    except RecursionError:
        raise document.error((), "a value contains itself", "no alias inside its own anchor") from None


def adapter(kind: Any) -> TypeAdapter[Any]:
    """The validator of a model or dataclass, built once."""
    return _adapter(kind)


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _text_keys(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _text_keys(value) for key, value in data.items()}
    return [_text_keys(entry) for entry in data] if isinstance(data, list) else data


def _merged(base: Any, data: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(data, dict):
        return data
    return {**base, **{key: _merged(base.get(key), value) for key, value in data.items()}}


def _input_error(document: Document, kind: Any, error: ValidationError) -> InputError:
    """The first error, in the words of a configuration file."""
    first = error.errors(include_url=False)[0]
    loc, what = [part for part in first["loc"] if part != "[key]"], first["type"]
    path, value = _existing(document.data, loc)
    schema = json_schema(kind)
    if what in _UNKNOWN_KEY:
        return document.error(loc, "unknown key", _known_keys(str(loc[-1]), schema_at(schema, loc[:-1])),
                              "unknown_key")
    if what in ("missing", "missing_argument") and not isinstance(value, list):
        return document.error(loc, "missing", describe(schema_at(schema, loc), schema))
    if first["loc"][-1:] == ("[key]",):
        return document.error(path, "this key is not valid", first["msg"])
    if what in _NOT_A_MAPPING:
        return document.error(path, f"is {_article(value)}; it must be a mapping",
                              describe(schema_at(schema, path), schema))
    if what in ("value_error", "assertion_error"):
        problem, _, expected = str(first["ctx"]["error"]).partition("; ")
        quoted = "" if isinstance(value, dict | list) or not path else f"{shown_value(value, path)}: "
        return document.error(path, quoted + problem, expected)
    expected = describe(schema_at(schema, path), schema) or str(first["msg"])
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+e[+-]?\d+", value, re.IGNORECASE):
        expected += f" (with a point: YAML reads {value} as text)"
    return document.error(path, f"{shown_value(value, path)} is not valid", expected)


def _known_keys(key: str, section: dict[str, Any] | None) -> str:
    known = list((section or {}).get("properties", {}))
    close = difflib.get_close_matches(key, known, 1)
    return (f"did you mean {close[0]}? " if close else "") + (f"known: {', '.join(known)}" if known else "")


def _existing(data: Any, loc: Sequence[Any]) -> tuple[list[Any], Any]:
    """The part of a location that is in the data (pydantic adds names of union branches), and the value there."""
    path: list[Any] = []
    for part in loc:
        if isinstance(data, Mapping):
            named = {str(key): value for key, value in data.items()}
            if str(part) not in named:
                continue
            data = named[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        path.append(part)
    return path, data


def _article(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "empty"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
