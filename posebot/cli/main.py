"""`posebot`: the commands, by name. A command's module is imported when it is used, so that help is instant."""

from __future__ import annotations

import os
import sys
from typing import Annotated, ClassVar

import typer
from typer.main import get_command

from posebot import __version__
from posebot.cli._errors import report
from posebot.cli._lazy import Entry, LazyGroup
from posebot.core.errors import EXIT_INTERRUPTED

START, BUILD, USE = "Get started", "Train a model", "Estimate poses"
EPILOG = (
    "Exit codes: 0 done, 1 internal error (a log is written), 2 bad input or usage, 3 the verdict is no, "
    "4 inconclusive, 5 the platform was lost, 130 interrupted. Errors end with their code in brackets."
)


class Commands(LazyGroup):
    """All commands of posebot."""

    entries: ClassVar[dict[str, Entry]] = {
        "demo": Entry("posebot.cli.demo", "Simulated wrist camera, packaged model, live results and web page.", START),
        "doctor": Entry("posebot.cli.doctor", "Check this machine: packages, libraries, hardware.", START),
        "bench": Entry("posebot.cli.bench", "Measure the time of each stage on this machine.", START),
        "objects": Entry("posebot.cli.objects", "Check meshes, build BOP models, write the kit's parts.", BUILD),
        "plan": Entry("posebot.cli.plan", "Pixels, time, disk and accuracy to expect, before you render.", BUILD),
        "synth": Entry("posebot.cli.synth", "Render labelled images of objects, in BOP format.", BUILD),
        "train": Entry("posebot.cli.train", "Train detector and localizer, calibrate, write a bundle.", BUILD),
        "tune": Entry("posebot.cli.tune", "Search for better training settings, in parallel.", BUILD),
        "evaluate": Entry("posebot.cli.evaluate", "Evaluate a bundle on a BOP split with ground truth.", BUILD),
        "models": Entry("posebot.cli.models", "List, inspect and fetch bundles.", BUILD),
        "clean": Entry("posebot.cli.clean", "Remove what trainings left behind: samples, checkpoints.", BUILD),
        "config": Entry("posebot.cli.config", "Print the JSON Schemas of the configuration files.", BUILD),
        "calibrate": Entry("posebot.cli.calibrate", "Calibrate intrinsics and hand-eye, print targets.", USE),
        "infer": Entry("posebot.cli.infer", "Estimate poses in images, a BOP split, a video or a camera.", USE),
        "serve": Entry("posebot.cli.serve", "Run the service: HTTP API, live streams, jobs, web page.", USE),
        "keys": Entry("posebot.cli.keys", "Create, list and revoke API keys of the service.", USE),
    }


app = typer.Typer(
    name="posebot",
    cls=Commands,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help costs 0.2 s of CPU
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"posebot {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (also: POSEBOT_DEBUG=1).")] = False,
) -> None:
    """6-D object pose from CAD meshes, with calibrated certainty."""
    if debug:
        os.environ["POSEBOT_DEBUG"] = "1"  # inherited by worker processes


def run(args: list[str]) -> int:
    """Run one command line and return its exit code; every error becomes one line on stderr."""
    try:
        get_command(app).main(args=args, prog_name="posebot")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        return report(KeyboardInterrupt()) if code == EXIT_INTERRUPTED else code
    except Exception as error:
        return report(error)
    return 0


def main() -> None:
    """Entry point of the console script `posebot`."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
