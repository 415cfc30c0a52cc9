"""JSON Schema as Markdown tables, for the HTTP and the configuration reference."""

from __future__ import annotations

import json
from typing import Any

from docs_cli import escape

_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<", "minLength": "length ≥",
           "maxLength": "length ≤", "minItems": "items ≥", "maxItems": "items ≤"}


def properties(schema: dict[str, Any], anchor: str = "") -> str:
    """A table of an object's keys. `anchor`: what precedes a referenced schema's name in its heading's anchor."""
    required = set(schema.get("required", ()))
    rows = [_row(name, one, name in required, anchor) for name, one in schema.get("properties", {}).items()]
    head = "| Key | Type | Default | Meaning |\n|---|---|---|---|"
    return "\n".join([head, *rows]) if rows else ""


def _row(name: str, schema: dict[str, Any], required: bool, anchor: str) -> str:
    default = "required" if required else ""
    if schema.get("default") is not None:
        default = f"`{json.dumps(schema['default'], ensure_ascii=False)}`"
    meaning = ". ".join(part for part in (escape(schema.get("description", "")).rstrip("."), _limits(schema)) if part)
    return f"| `{name}` | {kind(schema, anchor)} | {default} | {meaning} |"


def _limits(schema: dict[str, Any]) -> str:
    """The bounds of a value, also where it may be null."""
    places = (schema, *schema.get("anyOf", ()))
    found = [f"{sign} {one[key]}" for one in places for key, sign in _LIMITS.items() if key in one]
    return escape(", ".join(found))


def kind(schema: dict[str, Any], anchor: str = "") -> str:
    """A value's type in words, with a link for a schema of its own."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{anchor}{name.lower()})"
    if "const" in schema or "enum" in schema:
        return " \\| ".join(f"`{json.dumps(one)}`" for one in schema.get("enum", [schema.get("const")]))
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " \\| ".join(dict.fromkeys(kind(one, anchor) for one in schema[key]))
    return _plain(schema, anchor)


def _plain(schema: dict[str, Any], anchor: str) -> str:
    name = schema.get("type", "any")
    if name == "array":
        inner = schema.get("prefixItems")
        if inner:
            return "[" + ", ".join(kind(one, anchor) for one in inner) + "]"
        return f"array of {kind(schema.get('items', {}), anchor)}"
    if name == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of {kind(schema['additionalProperties'], anchor)}"
    return f"{name} ({schema['format']})" if "format" in schema else str(name)
