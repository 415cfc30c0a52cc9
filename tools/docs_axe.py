"""Accessibility of the built site by axe-core in headless Chromium: `make docs-check`.

Every page of site/, wide and narrow, light and dark; exit code 1 where axe finds something serious or critical. Needs
Chromium, and axe-core in node_modules: `npm install --no-save axe-core@4.14.1`. --shots FOLDER writes screenshots.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.service.page.browser import Tab, chromium, opened

ROOT = Path(__file__).resolve().parent.parent
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
_RUN = "axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(found.violations))"


def findings(tab: Tab, axe: str) -> list[str]:
    """What axe finds serious or critical on the page that is open, one line an element."""
    tab.evaluate(f"(() => {{ {axe} }})()")
    found = []
    for one in json.loads(tab.evaluate(_RUN)):
        if one["impact"] in ("serious", "critical"):
            found += [f"{one['impact']}: {one['id']}: {node['html'][:120]}" for node in one["nodes"]]
    return found


def main() -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=Path, help="folder for a screenshot of each page and view")
    parser.add_argument("--only", default="", help="only pages whose path contains this")
    options = parser.parse_args()
    if chromium() is None or not AXE.is_file():
        print("not checked with axe: needs chromium, and `npm install --no-save axe-core@4.14.1`", file=sys.stderr)
        return 0
    pages = [page for page in sorted((ROOT / "site").rglob("*.html")) if options.only in str(page.relative_to(ROOT))]
    pages = [page for page in pages if page.parent.name != "errors" or page.stem in ("index", "bad_mesh")]
    problems: dict[str, list[str]] = {}
    with opened(Path(tempfile.mkdtemp())) as tab:
        for width, scheme in VIEWS:
            tab.size(width, 900, mobile=width < 500)
            tab.prefers(scheme)
            for page in pages:
                tab.goto(page.as_uri())
                for line in findings(tab, AXE.read_text()):
                    problems.setdefault(line, []).append(f"{page.relative_to(ROOT / 'site')} ({width} px, {scheme})")
                if options.shots:
                    options.shots.mkdir(parents=True, exist_ok=True)
                    tab.screenshot(options.shots / f"{page.stem}-{width}-{scheme}.png")
    for line, where in problems.items():
        print(f"{line}\n    {len(where)} views, such as {where[0]}", file=sys.stderr)
    print(f"axe: {len(pages)} pages in {len(VIEWS)} views, {len(problems)} serious findings")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
