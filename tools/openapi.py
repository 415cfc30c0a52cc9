"""Write docs/openapi.json, what the service says about itself: `python tools/openapi.py`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from posebot.service.engine.fused import fused_engine
from posebot.service.settings import load_settings
from posebot.service.streams.local_manager import LocalStreamManager
from posebot.service.web.app import create_app
from posebot.service.web.services import Services

FILE = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def generated() -> str:
    """The schema as it is now."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(None, state=folder)
        engine = fused_engine(settings)
        app: Any = create_app(Services(settings, engine, LocalStreamManager(settings, engine), engine.activate))
        return json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(generated())
    print(f"wrote {FILE}")
