"""Code blocks of Markdown pages, and how each is run.

The comment before a block says what is special about it: `<!-- test: WORDS -->`, with the words

- `skip REASON`: not run, the reason is printed
- `long`: behind the marker `long`
- `continue`: in the folder and the Python process that the page's blocks before it left
- `fails CODE`: a shell block that must end with this exit code
- `background URL`: a shell block that keeps running until the page's blocks are done; the next starts when URL answers

A block that readers do not see, such as one that writes a file, stands in a comment of its own, after a first line
`<!-- test: setup`.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

RUN = {"sh": "shell", "bash": "shell", "shell": "shell", "python": "python", "py": "python", "pycon": "python"}
DATA = {"json": "json", "jsonl": "jsonl", "yaml": "yaml", "toml": "toml"}
PLAIN = set("text console html http csv dockerfile ini js javascript diff make xml bibtex promql".split())
_BLOCK = re.compile(
    r"(?:^ *<!-- test: (?P<setup>setup)\b[^\n]*\n)?(?:^ *<!-- test: (?P<words>[^\n]*?) -->\n\s*)?"
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)``` *$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, in which language, and the words of its comment."""

    page: Path
    line: int
    language: str
    body: str
    words: tuple[str, ...] = ()
    setup: bool = False

    @property
    def kind(self) -> str:
        return RUN.get(self.language) or DATA.get(self.language) or self.language

    def argument(self, word: str) -> str | None:
        """What follows a word of the comment; None where the word is not there."""
        return " ".join(self.words[self.words.index(word) + 1 :]) if word in self.words else None


@dataclass
class Unit:
    """Blocks that are run one after the other in one folder."""

    blocks: list[Block] = field(default_factory=list)

    @property
    def long(self) -> bool:
        return any("long" in block.words for block in self.blocks)

    def name(self, root: Path) -> str:
        first = next((block for block in self.blocks if not block.setup), self.blocks[0])
        return f"{first.page.relative_to(root)}:{first.line}"


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("indent")) + 1
        words = tuple((match["words"] or "").split())
        body = textwrap.dedent(match["body"])
        found.append(Block(page, line, match["language"], body, words, bool(match["setup"])))
    return found


def units(page: Path) -> list[Unit]:
    """The page's runnable blocks in groups: each with the setup before it and what continues it."""
    found: list[Unit] = []
    setup_before = False
    for block in blocks(page):
        if block.language not in RUN or "skip" in block.words:
            continue
        if found and (setup_before or "continue" in block.words):
            found[-1].blocks.append(block)
        else:
            found.append(Unit([block]))
        setup_before = block.setup
    return found
