"""Each term of the glossary is where the glossary says, so that a search for the field's word finds the thing."""

import re
from pathlib import Path

import pytest

PAGE = "docs/reference/glossary.md"
MIN_TERMS = 40


def _normal(text: str) -> str:
    return re.sub(r"[-_\s]+", " ", text.lower())


def _rows() -> list[list[str]]:
    lines = (Path(__file__).resolve().parents[2] / PAGE).read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if row[0] != "Term" and set(row[0]) != {"-"}]


def test_the_glossary_has_forty_terms_each_with_meaning_place_and_source() -> None:
    rows = _rows()
    assert len(rows) >= MIN_TERMS
    assert all(len(row) == 4 and all(row) for row in rows)
    assert [row[0].lower() for row in rows] == sorted((row[0].lower() for row in rows), key=str.lower)


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0])
def test_a_term_is_found_where_its_thing_is(row: list[str], root: Path) -> None:
    terms = [_normal(re.sub(r"\(.*\)", "", term)).strip() for term in row[0].split(",")]
    paths = re.findall(r"`([^`]+)`", row[2])
    assert paths
    for path in map(root.joinpath, paths):
        text = _normal("".join(file.read_text() for file in (path.rglob("*.py") if path.is_dir() else [path])))
        assert not [term for term in terms if term not in text]
