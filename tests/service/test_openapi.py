"""The committed OpenAPI schema."""

from __future__ import annotations

import sys
from pathlib import Path


def test_the_schema_in_the_docs_is_the_services(root: Path) -> None:
    sys.path.insert(0, str(root / "tools"))
    try:
        import openapi
    finally:
        sys.path.remove(str(root / "tools"))
    assert openapi.FILE.read_text() == openapi.generated(), "run: python tools/openapi.py"
