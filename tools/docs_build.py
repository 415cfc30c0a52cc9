"""Build the documentation site into site/, offline: `make docs`.

docs/ is copied to build/docs, the generated pages (command line, HTTP, configuration, codes, llms.txt) are written
beside it, numbers are compared with docs/figures/*.json, and Zensical renders it with every warning an error.

    python tools/docs_build.py             # build site/
    python tools/docs_build.py --stage     # only build/docs
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docs_cli
import docs_codes
import docs_config
import docs_figures
import docs_http
import docs_llms

ROOT = Path(__file__).resolve().parent.parent
STAGE, SITE = ROOT / "build" / "docs", ROOT / "site"

# Page of the site -> what writes its Markdown.
GENERATED: dict[str, Callable[[], str]] = {
    "reference/cli.md": docs_cli.page,
    "reference/config.md": docs_config.page,
    "reference/http.md": lambda: docs_http.page(ROOT / "docs" / "openapi.json"),
}
# Files of the repository's root that are pages too, and the page each becomes.
ROOT_PAGES = {"CHANGELOG.md": "about/changelog.md", "CONTRIBUTING.md": "about/contributing.md",
              "SECURITY.md": "about/security.md"}


def stage() -> None:
    """Write build/docs: the pages of docs/, the root's pages, the generated ones and llms.txt."""
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", STAGE)
    for source, page in ROOT_PAGES.items():
        _write(page, _from_root((ROOT / source).read_text(), page))
    for page, text in GENERATED.items():
        _write(page, text())
    for page, text in (docs_codes.pages() | docs_config.files()).items():
        _write(page, text)
    (STAGE / "llms.txt").write_text(docs_llms.text(ROOT / "mkdocs.yml", STAGE))


def _write(page: str, text: str) -> None:
    path = STAGE / page
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _from_root(text: str, page: str) -> str:
    """A root page's Markdown with its links as seen from `page`, without `docs/`."""
    up = "../" * page.count("/")
    text = text.replace("](docs/", f"]({up}")
    for source, target in ROOT_PAGES.items():
        text = text.replace(f"]({source}", f"]({up}{target}")
    return text


def build() -> int:
    """Stage and render. Returns Zensical's exit code; 1 where a quoted number differs from its figure."""
    problems = docs_figures.problems(ROOT / "docs", ROOT / "README.md")
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    start = time.monotonic()
    stage()
    shutil.rmtree(SITE, ignore_errors=True)
    program = Path(sys.prefix) / "bin" / "zensical"
    code = subprocess.run([program, "build", "--strict", "--clean"], cwd=ROOT, check=False).returncode
    print(f"{SITE.relative_to(ROOT)}/: {len(list(SITE.rglob('*.html')))} pages, {time.monotonic() - start:.1f} s")
    return code


def main() -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", action="store_true", help="only write build/docs")
    if parser.parse_args().stage:
        stage()
        return 0
    return build()


if __name__ == "__main__":
    sys.exit(main())
