"""`posebot config`: JSON Schemas of the configuration files, and checking a file."""

from __future__ import annotations

import json as json_module
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from posebot.core.errors import InputError
from posebot.core.files import write_atomic

SCHEMAS = {
    "recipe": ("posebot.training.config:TrainConfig", "`posebot train --config`"),
    "service": ("posebot.service.settings:Settings", "`posebot serve --config`"),
    "cameras": ("posebot.video.kinds:cameras_config", "`--camera`, and `cameras` of the service"),
    "intrinsics": ("posebot.video.intrinsics:IntrinsicsFile", "`--camera FILE`, `intrinsics` of a camera"),
    "hand-eye": ("posebot.robots.calibration_files:HandEyeFile", "hand_eye.yaml of `posebot calibrate hand-eye`"),
    "pose": ("posebot.stages.settings:PoseSettings", "settings of the pose stage, `--pose-settings`"),
    "bundle": ("posebot.models.manifest:Manifest", "bundle.yaml of a bundle"),
}
"""Name to the model (`module:attribute`; a function makes it) and what the file is for. A further configuration is one
line here."""

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def config() -> None:
    """Describe configuration files."""


@app.command()
def schema(
    name: Annotated[str, typer.Argument(help="Which; without a name all are listed.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Write NAME.schema.json into this folder; without a name, "
                                                           "of all.")] = None,
) -> None:
    """JSON Schema (draft 2020-12) of a configuration file, for editors and checks."""
    if name and name not in SCHEMAS:
        raise InputError("name", f"{name!r} is not a configuration", f"one of {', '.join(SCHEMAS)}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for each in [name] if name else SCHEMAS:
            write_atomic(out / f"{each}.schema.json", _text(each))
            typer.echo(out / f"{each}.schema.json")
    elif name:
        typer.echo(_text(name), nl=False)
    else:
        for each, (_, use) in SCHEMAS.items():
            typer.echo(f"{each:<12} {use}")


def model_of(name: str) -> Any:
    """The model of a configuration by its name in `SCHEMAS`."""
    module, _, attribute = SCHEMAS[name][0].partition(":")
    found = getattr(import_module(module), attribute)
    return found if isinstance(found, type) else found()


def _text(name: str) -> str:
    from posebot.config import json_schema

    return json_module.dumps(json_schema(model_of(name)), indent=1, ensure_ascii=False) + "\n"
