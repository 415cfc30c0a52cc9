"""Numbers in the documentation come from docs/figures/*.json, and this checks that they are quoted as they stand there.

A quoted number stands between markers; the first names file, keys and, after `as`, the format (a bar would split the
cells of a table):

    <!-- figure: accuracy.json lmo.rgbd.ar as .1f -->70.7<!-- /figure -->

`python tools/docs_figures.py` lists the differences; `--write` writes the numbers of the files into the pages.
`--take report.json NAME` copies the summary of a report of `posebot evaluate` to a file of that name in docs/figures.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_FIGURE = re.compile(
    r"<!-- figure: (?P<file>\S+) (?P<keys>\S+?)(?: as (?P<format>\S+))? -->(?P<text>.*?)<!-- /figure -->"
)


def value(folder: Path, match: re.Match[str]) -> str:
    """What a marker's text must be. Raises KeyError, IndexError or FileNotFoundError where it names nothing."""
    found: Any = json.loads((folder / match["file"]).read_text())
    for key in match["keys"].split("."):
        found = found[int(key)] if isinstance(found, list) else found[key]
    return format(found, match["format"] or "").replace("%", " %")


def problems(docs: Path, *more: Path) -> list[str]:
    """One line a number that differs from its figure or whose figure is missing."""
    found = []
    for page in [*sorted(docs.rglob("*.md")), *more]:
        text = page.read_text()
        for match in _FIGURE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            try:
                wanted = value(docs / "figures", match)
            except (KeyError, IndexError, ValueError, TypeError, FileNotFoundError) as error:
                found.append(f"{page.name}:{line}: {match['file']} {match['keys']}: {type(error).__name__}: {error}")
                continue
            if wanted != match["text"]:
                found.append(f"{page.name}:{line}: {match['file']} {match['keys']}: {match['text']!r} != {wanted!r}")
    return found


def write(docs: Path, *more: Path) -> None:
    """Put the files' numbers into the pages."""
    for page in [*docs.rglob("*.md"), *more]:
        text = page.read_text()
        new = _FIGURE.sub(lambda match: _with(match, value(docs / "figures", match)), text)
        if new != text:
            page.write_text(new)


def take(report: Path, figures: Path, name: str) -> None:
    """Copy a report's summary, without its tables by object and by visibility, to a JSON file of that name."""
    data = json.loads(report.read_text())
    certainty = {key: data["certainty"][key] for key in ("count", "correct", "mean_p", "ECE", "Brier")}
    certainty["status"] = {
        row["status"]: {key: row["certainty"][key] for key in ("count", "correct", "mean_p")}
        for row in data["certainty"]["per_status"]
    }
    kept = {key: data[key] for key in ("frames", "targets", "estimates", "MSPD", "MSSD", "ADD", "AR", "notes")}
    kept["bundle"] = {key: data["subject"][key] for key in ("bundle", "sha256", "split", "depth")}
    kept |= {"detection": {key: data["detection"][key] for key in ("recall_50", "mAP")}, "certainty": certainty}
    figures.mkdir(exist_ok=True)
    (figures / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def _with(match: re.Match[str], number: str) -> str:
    start, end = (edge - match.start() for edge in match.span("text"))
    return match[0][:start] + number + match[0][end:]


if __name__ == "__main__":
    if "--take" in sys.argv[1:]:
        _, source, name = sys.argv[sys.argv.index("--take") :]
        take(Path(source), ROOT / "docs" / "figures", name)
    if "--write" in sys.argv[1:]:
        write(ROOT / "docs", ROOT / "README.md")
    lines = problems(ROOT / "docs", ROOT / "README.md")
    print("\n".join(lines) or "every quoted number equals its figure")
    sys.exit(bool(lines))
