"""llms.txt: the site's pages, each with its first sentence, for programs that read documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml


def text(config: Path, stage: Path) -> str:
    """The file's text (llmstxt.org): a title, a summary, and a list of links a section of the navigation."""
    site = yaml.safe_load(config.read_text())
    lines = [f"# {site['site_name']}", "", f"> {site['site_description']}"]
    for entry in site["nav"]:
        [(section, pages)] = entry.items()
        lines += ["", f"## {section}", ""]
        lines += [_line(title, page, stage) for title, page in _pages(section, pages)]
    return "\n".join(lines) + "\n"


def _pages(title: str, pages: Any) -> Iterator[tuple[str, str]]:
    if isinstance(pages, str):
        yield title, pages
        return
    for entry in pages:
        if isinstance(entry, str):
            yield _heading(entry), entry
        else:
            for name, inner in entry.items():
                yield from _pages(name, inner)


def _heading(page: str) -> str:
    return Path(page).stem.replace("-", " ").capitalize()


def _line(title: str, page: str, stage: Path) -> str:
    return f"- [{title}]({page.removesuffix('.md')}.html): {_summary((stage / page).read_text())}"


def _summary(markdown: str) -> str:
    """The first paragraph that is plain prose, to its first full stop."""
    body = re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)
    for block in re.split(r"\n\s*\n", body):
        plain = "" if block.startswith(("    ", "\t")) else " ".join(block.split())
        if plain and not re.match(r"[#|!<>\-*:`]|---", plain):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain)
            return re.split(r"(?<=[.!?]) ", plain)[0]
    return ""
