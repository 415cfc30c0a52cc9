"""Write docs/openapi.json from the service: `python tools/openapi.py`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from posebot.service.composition import local_services
from posebot.service.settings import load_settings
from posebot.service.web.app import create_app

FILE = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def generated() -> str:
    """The present schema."""
    with tempfile.TemporaryDirectory() as folder:
        app: Any = create_app(local_services(load_settings(None, state=folder)))
        return json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(generated())
    print(f"wrote {FILE}")
