"""The HTTP reference: docs/openapi.json as one readable page."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from docs_cli import escape
from docs_schema import kind, properties


def page(path: Path) -> str:
    """Markdown of every operation by tag, then every schema."""
    api = json.loads(path.read_text())
    parts = [
        "# HTTP API",
        "Generated from [openapi.json](../openapi.json), which the service also answers at `/openapi.json`. "
        "How to run the service: [Serve poses](../how-to/serve.md).",
        escape(api["info"]["description"]),
        "Every 4xx and 5xx answer is an [ErrorOut](#errorout).",
    ]
    by_tag: dict[str, list[str]] = defaultdict(list)
    for url, operations in api["paths"].items():
        for method, operation in operations.items():
            by_tag[operation["tags"][0]].append(_operation(method.upper(), url, operation))
    for tag, operations in by_tag.items():
        parts += [f"## {tag.capitalize()}", *operations]
    parts += ["## Schemas", *(_schema(name, one) for name, one in api["components"]["schemas"].items())]
    return "\n\n".join(part for part in parts if part) + "\n"


def _operation(method: str, url: str, operation: dict[str, Any]) -> str:
    public = "" if operation.get("security") else "No key is needed."
    parts = [f"### `{method} {url}`", escape(operation.get("description", operation.get("summary", ""))), public,
             _parameters(operation.get("parameters", []))]
    body = operation.get("requestBody", {}).get("content", {})
    parts += [f"Request (`{name}`): {kind(one.get('schema', {}))}" for name, one in body.items()]
    parts += [_response(status, one) for status, one in operation["responses"].items() if not status.endswith("XX")]
    return "\n\n".join(part for part in parts if part)


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [f"| `{one['name']}` | {one['in']} | {kind(one['schema'])} | {'yes' if one.get('required') else 'no'} "
            f"| {escape(one.get('description', ''))} |" for one in parameters]
    head = "| Parameter | In | Type | Required | Meaning |\n|---|---|---|---|---|"
    return "\n".join([head, *rows]) if rows else ""


def _response(status: str, response: dict[str, Any]) -> str:
    content = "; ".join(f"`{name}` {kind(one['schema']) if one.get('schema') else ''}".strip()
                        for name, one in response.get("content", {}).items())
    return f"Response {status}: {escape(response.get('description', ''))}" + (f": {content}" if content else "")


def _schema(name: str, schema: dict[str, Any]) -> str:
    return "\n\n".join([f"### {name}", escape(schema.get("description", "")), properties(schema)])
