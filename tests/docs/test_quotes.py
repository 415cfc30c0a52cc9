"""Code that a page quotes from a file is in that file, word for word."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_QUOTE = re.compile(r"<!-- quoted: (\S+) -->\n(?:<!--[^\n]*-->\n)?```\w*\n(.*?)```", re.DOTALL)
QUOTES = [(page.relative_to(ROOT).as_posix(), *match) for page in (ROOT / "docs").rglob("*.md")
          for match in _QUOTE.findall(page.read_text())]


@pytest.mark.parametrize(("page", "file", "code"), QUOTES, ids=[f"{page}:{file}" for page, file, _ in QUOTES])
def test_quoted_code_is_in_its_file(page: str, file: str, code: str) -> None:
    assert code.strip() in (ROOT / file).read_text()
