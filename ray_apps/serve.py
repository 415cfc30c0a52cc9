"""The Serve application for `serve run ray_apps.serve:app` and `serve deploy ray_apps/serve.yaml`.

Host and port are those of Serve (`serve start --http-host`, or the YAML's `http_options`).
"""

from __future__ import annotations

from typing import Any

from posebot.service.composition import application
from posebot.service.settings import load_settings


def app(args: dict[str, Any]) -> Any:
    """Builds the application. `args`: `config`, path of a configuration file, and `profile`, both optional."""
    return application(load_settings(args.get("config"), profile=args.get("profile")))
