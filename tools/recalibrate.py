"""Calibrate a bundle anew, its networks as they are: after a change of the pose stage, or on pictures of one's own.

    python tools/recalibrate.py --bundle bundles/lmo --dataset data/lmo --mode rgb --version 0.5.1 --log runs/seen.jsonl

Runs the bundle on pictures with known poses (every other one made darker, softer and noisier, as `posebot train` does),
fits `p_correct`, `region90` and the covariance to its errors, and writes bundle.yaml; the detector's threshold stays.
A run that was killed goes on where it was (`--log`: of this bundle and these pictures alone).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from posebot.core.errors import EXIT_BAD_INPUT, InputError, PosebotError
from posebot.datasets.bop import BopDataset
from posebot.models.bundle import Bundle, rewrite_manifest
from posebot.models.reference import resolve
from posebot.training import calibrate
from posebot.training.assemble import rounded


def recalibrate(options: argparse.Namespace) -> dict[str, float]:
    """Write the new calibration; returns what was observed. Raises InputError where there are too few estimates."""
    folder = resolve(options.bundle)
    if not folder.is_dir():
        raise InputError(folder, "cannot be written anew in its place", "a bundle's folder; unpack the zip")
    bundle, data = Bundle.open(folder), BopDataset(options.dataset, options.split)
    if options.standing is not None:
        if not 0 <= options.standing <= 1:
            raise InputError("--standing", f"is {options.standing:g}", "0 to 1")
        bundle = replace(bundle, manifest=replace(bundle.manifest, upright_prior=options.standing))
    modes: tuple[calibrate.Mode, ...] = ("rgb", "depth") if options.mode == "both" else (options.mode,)
    keys = calibrate.held_out(data, data.scenes, options.frames, options.seed)

    def tick(done: int) -> None:
        if done % max(1, len(keys) // 10) == 0:
            print(f"{done} of {len(keys)} pictures", file=sys.stderr, flush=True)

    observations = calibrate.observe(bundle, data, keys, options.log, tick, modes)
    fitted, metrics = calibrate.fitted(observations, bundle.objects)
    old, found = bundle.manifest, rounded(metrics)
    for mode in modes:
        if f"{mode}_estimates" not in found:
            raise InputError(options.dataset, f"gives too few estimates to calibrate {mode}", "more pictures")
    calibration = replace(old.calibration, **{mode: getattr(fitted, mode) for mode in modes})
    provenance = old.provenance | {"metrics": (old.provenance.get("metrics") or {}) | found}
    rewrite_manifest(folder, replace(old, calibration=calibration, provenance=provenance,
                                     version=options.version or old.version))
    return found


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True, help="a folder, written anew")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--mode", choices=("rgb", "depth", "both"), default="both")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--standing", type=float, help="share of the objects that stand, 0 to 1; default: as it was")
    parser.add_argument("--version", default="", help="of the new bundle; default: as it was")
    parser.add_argument("--log", type=Path, required=True, help="file of observations, one picture a line")
    options = parser.parse_args()
    try:
        metrics = recalibrate(options)
    except PosebotError as error:
        print(f"recalibrate: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    print("  ".join(f"{name} {value:g}" for name, value in metrics.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
