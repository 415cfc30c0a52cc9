"""Troubleshooting quotes messages as the code writes them."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting" / "index.md"
MIN_ENTRIES = 20
_ELSEWHERE = {"Cannot select", "operator torchvision::nms does not exist", "libEGL", "Train", "no image",
              "posebot train", "objects check", "low_certainty", "none", "objects: none",
              "libGL.so.1: cannot open shared object file"}
"""Headings that quote other programs, commands or values."""


def _quoted() -> list[str]:
    headings = re.findall(r"^### (.*)$", PAGE.read_text(), re.MULTILINE)
    reasons = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    quotes = [quote for heading in headings for quote in re.findall(r"`([^`]+)`", heading)]
    return [quote for quote in (*quotes, *reasons) if quote not in _ELSEWHERE]


def _parts(quote: str) -> list[str]:
    """The quote without its values: quoted words, numbers and names in capitals that are formatted into it."""
    parts = [part.strip(" '") for part in re.split(r"\.\.\.|'[^']*'|\b\d+\b|[A-Z_]{4,}\w*", quote)]
    return [part for part in parts if len(part) > 3]


def test_there_are_twenty_entries() -> None:
    assert len(re.findall(r"^### ", PAGE.read_text(), re.MULTILINE)) >= MIN_ENTRIES


@pytest.mark.parametrize("quote", _quoted())
def test_a_quoted_message_is_in_the_code(quote: str, root: Path) -> None:
    code = "\n".join(path.read_text() for path in (root / "posebot").rglob("*") if path.suffix in (".py", ".js"))
    assert _parts(quote)
    assert not [part for part in _parts(quote) if part not in code]
