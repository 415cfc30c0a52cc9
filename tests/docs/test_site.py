"""The site builds offline without a warning, its links and fragments resolve, and it loads nothing from elsewhere."""

import re
import subprocess
from pathlib import Path

import yaml

_LOADED = re.compile(r"<(?:script|img|iframe|source|video|link)\b[^>]*?(?:src|href)=\"?(?:https?:)?//[^\">]*", re.I)


def test_the_site_builds_without_a_warning_and_quickly(site) -> None:
    assert "No issues found" in site.output
    assert not re.search(r"\bwarning\b", site.output, re.IGNORECASE)
    assert site.seconds < 20  # of CPU, as other tests may run beside it; `make docs` prints those on the clock
    assert len(site.pages) > 20


def test_links_and_fragments_resolve(site, lychee: str, root: Path) -> None:
    arguments = [lychee, "--offline", "--include-fragments", "--no-progress", "--root-dir", site.folder,
                 "--exclude-path", site.folder / "404.html", site.folder]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_links_of_the_repository_resolve(lychee: str, root: Path) -> None:
    pages = [root / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
    done = subprocess.run([lychee, "--offline", "--include-fragments", "--no-progress", *pages],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_pages_load_nothing_from_another_host(site) -> None:
    loaded = {page.name: found for page in site.pages
              if (found := [match[0] for match in _LOADED.finditer(page.read_text())
                            if 'rel="canonical"' not in match[0] and 'rel=canonical' not in match[0]])}
    assert not loaded


def test_every_page_is_in_the_navigation_and_in_llms_txt(site, root: Path) -> None:
    listed = set(re.findall(r"[\w/-]+\.md", yaml.safe_dump(yaml.safe_load((root / "mkdocs.yml").read_text())["nav"])))
    stage = root / "build" / "docs"
    pages = {str(page.relative_to(stage)) for page in stage.rglob("*.md") if page.parent.name != "errors"}
    pages.add("reference/errors/index.md")
    assert pages == listed
    known = (site.folder / "llms.txt").read_text()
    assert not [page for page in pages if f"({page.removesuffix('.md')}.html)" not in known]


def test_every_error_code_has_a_page(site) -> None:
    from posebot.core.error_codes import ERROR_CODES

    assert not [code for code in ERROR_CODES if not (site.folder / "reference" / "errors" / f"{code}.html").exists()]
