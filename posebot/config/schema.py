"""JSON Schemas of configurations, and the plain words for a part of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false",
          "null": "null", "array": "a list", "object": "a mapping"}
_PLURALS = {"integer": "whole numbers", "number": "numbers", "string": "texts"}


@lru_cache(maxsize=64)
def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a pydantic model or dataclass. Shared: do not change it."""
    return {"$schema": DIALECT, **TypeAdapter(kind).json_schema(mode="validation")}


def schema_at(schema: dict[str, Any], path: Sequence[Any]) -> dict[str, Any] | None:
    """The part of a schema that describes the value under a path of keys and indices; None where it has none."""
    part: dict[str, Any] | None = _resolved(schema, schema)
    for key in path:
        part = _child(part, key, schema) if part is not None else None
    return part


def describe(part: dict[str, Any] | None, schema: dict[str, Any]) -> str:
    """What a part of `schema` allows, in words: "a number from 0 to 1", "one of head, yolo", "a list of 2 numbers"."""
    if part is None:
        return ""
    part = _resolved(part, schema)
    if "enum" in part or "const" in part:
        values = [str(value) for value in part.get("enum", [part.get("const")])]
        return f"one of {', '.join(values)}" if len(values) > 1 else values[0]
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(describe(choice, schema) for choice in part["anyOf"]))
    kind = part.get("type", "")
    if kind == "array":
        return _list_words(part, schema)
    if kind == "object" and part.get("properties"):
        return f"the keys {', '.join(part['properties'])}"
    if kind == "string" and part.get("format") in ("path", "file-path", "directory-path"):
        return "a path"
    if kind == "string" and "pattern" in part:
        return f"text like {part['pattern']}"
    return _TYPES.get(kind, "") + _range_words(part)


def _range_words(part: dict[str, Any]) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    above, below = part.get("exclusiveMinimum"), part.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    words = [f"{word} {limit:g}" for word, limit in (("at least", low), ("above", above), ("at most", high),
                                                     ("below", below)) if limit is not None]
    return f", {' and '.join(words)}" if words else ""


def _list_words(part: dict[str, Any], schema: dict[str, Any]) -> str:
    entries = part.get("prefixItems") or ([part["items"]] if isinstance(part.get("items"), dict) else [])
    if not entries:
        return "a list"
    entry = _resolved(entries[0], schema)
    exact = len(entries) if "prefixItems" in part else part.get("minItems")
    count = f"{exact} " if exact and exact == part.get("maxItems", exact) else ""
    plural = _PLURALS.get(entry.get("type", ""), "entries")
    return f"a list of {count}{plural}{_range_words(entry)}"


def _child(part: dict[str, Any], key: Any, schema: dict[str, Any]) -> dict[str, Any] | None:
    for choice in (part, *part.get("anyOf", ())):
        choice = _resolved(choice, schema)
        found = choice.get("properties", {}).get(str(key))
        prefix = choice.get("prefixItems", [])
        if found is None and isinstance(key, int):
            found = prefix[key] if key < len(prefix) else choice.get("items")
        if found is None:
            found = choice.get("additionalProperties")
        if found is None and choice.get("patternProperties"):
            found = next(iter(choice["patternProperties"].values()))
        if isinstance(found, dict):
            return _resolved(found, schema)
    return None


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        target: Any = schema
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part
