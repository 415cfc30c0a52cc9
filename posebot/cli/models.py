"""`posebot models`: which bundles there are, what is in one, fetching and recalibrating one."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from posebot.cli._common import JsonFlag, SeedOption, SplitOption, output, print_json

if TYPE_CHECKING:
    from posebot.core.objects import ObjectModel
    from posebot.models.bundle import Bundle

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def models() -> None:
    """List, inspect, fetch and recalibrate bundles."""


@app.command("list")
def list_bundles(json: JsonFlag = False) -> None:
    """The bundles that have a name: inside posebot, of the package posebot-bundles, and fetched ones."""
    from posebot.models.manifest import MANIFEST, read_manifest
    from posebot.models.reference import known_bundles

    manifests = {folder: read_manifest(folder / MANIFEST) for folder in known_bundles().values()}
    rows = [{"name": folder.name, "version": manifest.version, "objects": len(manifest.objects),
             "licence": manifest.licence, "folder": str(folder)} for folder, manifest in manifests.items()]
    if json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']:<10} {row['version']:<8} {row['objects']:>3} objects  {row['folder']}")


@app.command()
def fetch(
    source: Annotated[str, typer.Argument(help="A wheel, zip or folder, or an http(s) address of a wheel or zip.")],
    name: Annotated[str, typer.Option("--name", help="Take only the bundle of this name.")] = "",
    to: Annotated[Path | None, typer.Option("--to", help="Folder that gets the bundles; default: the user's data "
                                                         "folder, where names are looked up.")] = None,
    sha256: Annotated[str, typer.Option("--sha256", help="Expected SHA-256 of the wheel or zip (of SHA256SUMS where "
                                                         "the source is a folder).")] = "",
    json: JsonFlag = False,
) -> None:
    """Fetch bundles, verify every file, and put them where their names are found.

    The hash of a released bundle is pinned in posebot; for others give --sha256.
    """
    from posebot.models.fetch import fetch as run
    from posebot.models.reference import known_bundles

    fetched = run(source, name, to, sha256)
    if json:
        print_json([{"name": one.name, "version": one.version, "folder": str(one.folder), "verified": one.verified,
                     "sums_sha256": one.sums_sha256} for one in fetched])
        return
    said = {"pinned": "verified against the hash that posebot pins", "given": "verified against --sha256",
            "no": "every file matches SHA256SUMS, but no known hash vouches for it: give --sha256"}
    known = known_bundles()
    for one in fetched:
        use = one.name if known.get(one.name) == one.folder else str(one.folder)
        typer.echo(f"{one.name} {one.version}: {one.folder}\n  {said[one.verified]} ({one.sums_sha256})\n"
                   f"  use it: --bundle {use}")


@app.command()
def show(
    bundle: Annotated[str, typer.Argument(help="A name such as kit, a bundle's folder or zip.")] = "kit",
    json: JsonFlag = False,
) -> None:
    """Objects, networks, calibration and origin of a bundle, after checking that every file is whole."""
    from posebot.models.bundle import Bundle

    described = describe(Bundle.open(bundle))
    if json:
        print_json(described)
    else:
        _print(described)


class Mode(StrEnum):
    """Which kind of input is calibrated."""

    rgb = "rgb"
    depth = "depth"
    both = "both"


@app.command()
def recalibrate(
    bundle: Annotated[str, typer.Argument(help="A bundle's folder, or the name of one.")],
    dataset: Annotated[Path, typer.Option(help="BOP data set with known poses.")],
    split: SplitOption = "val",
    mode: Annotated[Mode, typer.Option(help="Colour alone, with depth, or both.")] = Mode.both,
    frames: Annotated[int, typer.Option(min=1, help="Images to run.")] = 150,
    upright_prior: Annotated[float | None, typer.Option(help="Share of the objects that stand upright, 0 to 1; "
                                                             "default: as it is.")] = None,
    version: Annotated[str, typer.Option(help="Of the new bundle; default: the next patch level.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the new bundle; default: in the old one's place.")] = None,
    log: Annotated[Path | None, typer.Option(help="File of observations of this bundle and these images; an "
                                                  "interrupted run continues from it. Default: in runs/.")] = None,
    seed: SeedOption = 0,
    json: JsonFlag = False,
) -> None:
    """Fit p_correct, region90 and covariance again, on images with known poses; the networks stay as they are.

    Needed where the bundle was calibrated with another version of the pose stage; useful on images of your own.
    """
    from posebot.models.verdict import judgement
    from posebot.training.recalibrate import Recalibration
    from posebot.training.recalibrate import recalibrate as run

    modes: dict[Mode, tuple[Literal["rgb", "depth"], ...]] = {
        Mode.rgb: ("rgb",), Mode.depth: ("depth",), Mode.both: ("rgb", "depth")}
    manifest = run(Recalibration(bundle, dataset, split, modes[mode], frames, seed, upright_prior, version, out, log),
                   partial(typer.echo, err=True))
    metrics = manifest.provenance["metrics"]
    if json:
        print_json({"name": manifest.name, "version": manifest.version, "metrics": metrics})
        return
    shown = "  ".join(f"{name} {value:g}" for name, value in metrics.items())
    typer.echo(f"{manifest.name} {manifest.version}: {shown}")
    for line in judgement(manifest):
        typer.echo(line)


def describe(bundle: Bundle) -> dict[str, Any]:
    """What `show` prints: bundle.yaml, with each object's size and symmetries, each network's size and the verdict."""
    from posebot.models.verdict import judgement

    described = bundle.manifest.to_dict()
    described["objects"] = [_object(model) for model in bundle.objects]
    described["verdict_in_words"] = judgement(bundle.manifest)
    described["detector"]["bytes"], described["localizer"]["bytes"] = len(bundle.detector), len(bundle.localizer)
    return described


def _object(model: ObjectModel) -> dict[str, Any]:
    continuous, discrete = len(model.symmetries_continuous), len(model.symmetries_discrete)
    return {"obj_id": model.obj_id, "label": model.label, "diameter_mm": round(1000 * model.diameter, 1),
            "extents_mm": (1000 * model.extents).round(1).tolist(), "faces": len(model.mesh.faces),
            "landmarks": 0 if model.landmarks is None else len(model.landmarks.points),
            "symmetries": {"discrete": discrete, "continuous": continuous}}


def _print(described: dict[str, Any]) -> None:
    from rich.table import Table

    screen = output()
    screen.print(f"{described['name']} {described['version']}, licence {described['licence']}", markup=False)
    for name in ("detector", "localizer"):
        settings = described[name].copy()
        size = settings.pop("bytes") / 1e6
        shown = ", ".join(f"{key} {value}" for key, value in settings.items())
        screen.print(f"{name}: {size:.1f} MB, {shown}", markup=False)
    samples = ", ".join(f"{mode} {numbers['samples']} samples" for mode, numbers in described["calibration"].items())
    screen.print(f"calibration: {samples}", markup=False)
    if described["verdict_in_words"]:
        screen.print(f"on the {described['verdict']['frames']} held-out frames that the calibration was fitted to:")
    for line in described["verdict_in_words"]:
        screen.print(f"  {line}", markup=False)
    if described["upright_prior"]:
        screen.print(f"upright prior: {100 * described['upright_prior']:g} % of the objects stand on one ground plane")
    screen.print(f"pose stage: version {described['pose_stage']['version'] or 'not recorded'}")
    for key, value in described["provenance"].items():
        screen.print(f"{key}: {value}", markup=False)
    landmarks = [entry["landmarks"] for entry in described["objects"] if entry["landmarks"]]
    if landmarks:
        screen.print(f"texture landmarks: {sum(landmarks)} of {len(landmarks)} objects")
    table = Table("id", "label", "diameter mm", "extents mm", "faces", "symmetries", box=None, pad_edge=False)
    for entry in described["objects"]:
        kinds = [f"{count} {kind}" for kind, count in entry["symmetries"].items() if count]
        table.add_row(str(entry["obj_id"]), entry["label"], f"{entry['diameter_mm']:.1f}",
                      " x ".join(f"{side:.1f}" for side in entry["extents_mm"]), str(entry["faces"]),
                      ", ".join(kinds) or "none")
    screen.print(table)
