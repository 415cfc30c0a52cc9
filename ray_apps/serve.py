"""`serve run ray_apps.serve:app` and `serve deploy ray_apps/serve.yaml`: posebot's service on Ray Serve.

Host and port are Serve's own (`serve start --http-host`, or the YAML's `http_options`).
"""

from __future__ import annotations

from typing import Any

from posebot.service.composition import build
from posebot.service.settings import load_settings


def app(args: dict[str, Any]) -> Any:
    """The application. `args`: `config`, the path of a configuration file, and `profile`, both optional."""
    return build(load_settings(args.get("config"), profile=args.get("profile")))
