"""What a release consists of, into dist/: `make release`.

Wheels and source archives of posebot and of posebot-bundles, a software bill of materials (CycloneDX), the licences of
all dependencies with their texts, and SHA256SUMS over all of it. Run in the environment of requirements.txt.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DIST, BIN = ROOT / "dist", Path(sys.prefix) / "bin"
SHIPPED = ("cad", "synth", "evaluate", "train", "serve", "yolo")  # to users; docs, dev and release are ours


def projects(root: Path) -> list[Path]:
    """Folders with a pyproject.toml: posebot and the packages beside it."""
    return [root, *sorted(path.parent for path in root.glob("packages/*/pyproject.toml"))]


def build(root: Path, folder: Path) -> None:
    """Wheel and source archive of every project."""
    for project in projects(root):
        subprocess.run([BIN / "uv", "build", "--quiet", "--out-dir", folder, project], check=True)


def closure(*extras: str) -> set[str]:
    """Canonical names of everything that posebot with these extras needs in this environment, itself included."""
    found: set[tuple[str, str]] = set()
    waiting = [("posebot", extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        waiting += _required(name, extra)
    return {name for name, _ in found}


def _required(name: str, extra: str) -> Iterator[tuple[str, str]]:
    """Names and extras that a package asks for here. A package that is not installed asks for nothing."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield from ((canonicalize_name(requirement.name), one) for one in ("", *requirement.extras))


def licences(path: Path) -> None:
    """A table of the packages of all shipped extras: version, licence, home page, who needs it; then the texts."""
    needed = {extra or "base": closure(*filter(None, [extra])) for extra in ("", *SHIPPED)}
    command = [BIN / "pip-licenses", "--python", sys.executable, "--format=json", "--with-urls", "--with-license-file",
               "--no-license-path", "--with-system"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    known = {canonicalize_name(row["Name"]): row for row in rows}
    lines = ["# Licences of the dependencies of posebot", "",
             "posebot: AGPL-3.0-or-later. Inside its wheel: three.js, MIT (posebot/service/page/vendor).", "",
             "| Package | Version | Licence | Home | Needed by |", "|---|---|---|---|---|"]
    texts = []
    for name in sorted(set.union(*needed.values()) - {"posebot"}):
        row = known.get(name)
        if row is None:
            continue  # only on other platforms
        by = ["base"] if name in needed["base"] else [extra for extra in SHIPPED if name in needed[extra]]
        lines.append(f"| {row['Name']} | {row['Version']} | {_licence(name, row)} | {row['URL']} | {', '.join(by)} |")
        texts.append(f"## {row['Name']} {row['Version']}\n\n```text\n{row['LicenseText'].strip()}\n```")
    path.write_text("\n".join(lines) + "\n\n# Texts\n\n" + "\n\n".join(texts) + "\n")


def _licence(name: str, row: dict[str, str]) -> str:
    """The licence in a line; where the metadata has none, the first line of the text."""
    if row["License"] not in ("UNKNOWN", "Other/Proprietary License"):
        return " ".join(row["License"].split())
    first = next((line.strip() for line in row["LicenseText"].splitlines() if line.strip()), "")
    vendor = "NVIDIA proprietary" if name.startswith(("nvidia-", "cuda-")) else "not stated in the metadata"
    return first if 0 < len(first) < 80 and re.search("licen[sc]e", first, re.IGNORECASE) else vendor


def bill_of_materials(path: Path, version: str) -> None:
    """CycloneDX 1.6 of the shipped closure, reproducible and without paths of this machine."""
    command = [BIN / "cyclonedx-py", "environment", "--pyproject", ROOT / "pyproject.toml", "--mc-type", "library",
               "--output-reproducible", "--of", "JSON", sys.executable]
    bill = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    wanted = closure(*SHIPPED) - {"posebot"}
    bill["metadata"]["component"]["version"] = version
    bill["components"] = [one for one in bill["components"] if canonicalize_name(one["name"]) in wanted]
    refs = {one["bom-ref"] for one in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    bill["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", ()) if ref in refs]}
        for one in bill["dependencies"] if one["ref"] in refs
    ]
    path.write_text(json.dumps(bill, indent=1) + "\n")


def checksums(folder: Path) -> None:
    """SHA256SUMS of every file of the folder, as `sha256sum --check` reads it."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


def main() -> int:
    """Build everything into a fresh dist/ and list it."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    build(ROOT, DIST)
    [wheel] = DIST.glob("posebot-*.whl")
    licences(DIST / "THIRD-PARTY-LICENSES.md")
    bill_of_materials(DIST / "sbom.cdx.json", wheel.name.split("-")[1])
    for leftover in DIST.glob(".*"):
        leftover.unlink()
    checksums(DIST)
    for path in sorted(DIST.iterdir()):
        print(f"{path.stat().st_size / 1e6:8.2f} MB  {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
