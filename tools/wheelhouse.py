"""A folder from which posebot installs without a network: `make wheelhouse EXTRAS=serve,synth`.

Holds one wheel for every pinned dependency of the extras, for this platform and Python, the wheels of posebot and
posebot-bundles, and requirements.txt. On the machine without a network:

    python -m venv posebot-env
    posebot-env/bin/pip install --no-index --find-links wheelhouse -r wheelhouse/requirements.txt
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import release

ROOT = Path(__file__).resolve().parent.parent


def pins(extras: list[str]) -> str:
    """Requirements of posebot with the extras, each at its version in requirements.txt, for this platform."""
    command = [release.BIN / "uv", "pip", "compile", "--quiet", "--python", sys.executable, "--no-annotate",
               "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--constraint", ROOT / "requirements.txt",
               *(f"--extra={extra}" for extra in extras), ROOT / "pyproject.toml"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="synth,evaluate,serve", help="of posebot, with commas; may be empty")
    parser.add_argument("--out", type=Path, default=ROOT / "wheelhouse", help="the folder")
    options = parser.parse_args()
    extras = [extra for extra in options.extras.split(",") if extra]
    options.out.mkdir(parents=True, exist_ok=True)
    for wheel in options.out.glob("posebot*.whl"):
        wheel.unlink()  # of an older version
    for project in release.projects(ROOT):
        command = [release.BIN / "uv", "build", "--quiet", "--wheel", "--out-dir", options.out, project]
        subprocess.run(command, check=True)
    (options.out / ".gitignore").unlink(missing_ok=True)
    requirements = options.out / "requirements.txt"
    requirements.write_text(pins(extras))
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
                    "--wheel-dir", options.out, "--requirement", requirements], check=True)
    names = sorted(path.name.split("-")[0].replace("_", "-") for path in options.out.glob("posebot*.whl"))
    with requirements.open("a") as file:
        file.writelines(f"{name}\n" for name in names)
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: {len(list(options.out.glob('*.whl')))} wheels, {size / 1e6:.0f} MB; install with")
    print(f"  pip install --no-index --find-links {options.out.name} -r {options.out.name}/requirements.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
