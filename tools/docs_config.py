"""The configuration reference: every schema that `posebot config schema` knows, as tables, and as JSON Schema files."""

from __future__ import annotations

import json
from typing import Any

from docs_cli import escape
from docs_schema import properties

from posebot.cli.config import SCHEMAS, model_of
from posebot.config import json_schema

_INTRO = """# Configuration files

Every configuration is YAML, checked before it is used: an error names file, line and key. Editors complete and check a
file that names its schema in the first line:

```yaml
# yaml-language-server: $schema=recipe.schema.json
```

`posebot config schema NAME` prints a schema; those of this version:"""


def page() -> str:
    """Markdown of all configurations."""
    parts = [_INTRO]
    parts.append("\n".join(f"- [{name}](#{name}): {use} ([JSON Schema](schemas/{name}.schema.json))"
                           for name, (_, use) in SCHEMAS.items()))
    for name, (_, use) in SCHEMAS.items():
        schema = json_schema(model_of(name))
        parts += [f"## {name}", f"{use}.", *_object(schema, f"{name}-")]
        for inner, one in schema.get("$defs", {}).items():
            if one.get("properties") or "enum" in one:
                parts += [f"### {inner} {{ #{name}-{inner.lower()} }}", *_object(one, f"{name}-")]
    return "\n\n".join(part for part in parts if part) + "\n"


def files() -> dict[str, str]:
    """JSON Schema files by page-relative path."""
    return {f"reference/schemas/{name}.schema.json": json.dumps(json_schema(model_of(name)), indent=1) + "\n"
            for name in SCHEMAS}


def _object(schema: dict[str, Any], anchor: str) -> list[str]:
    values = ", ".join(f"`{value}`" for value in schema.get("enum", ()))
    text = escape(schema.get("description", "").split("\n\nAttributes")[0].split("Attributes:")[0])
    return [text, f"One of {values}." if values else properties(schema, anchor)]
