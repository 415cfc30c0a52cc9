"""The threat model names tests that exist."""

import re
from pathlib import Path


def test_every_test_that_the_threat_model_names_exists(root: Path) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (root / "SECURITY.md").read_text())
    assert len(named) > 20
    missing = [f"{path}::{name}" for path, name in named
               if not (root / path).is_file() or not re.search(rf"def {name}\(", (root / path).read_text())]
    assert not missing


def test_every_row_of_the_threat_model_is_complete(root: Path) -> None:
    table = (root / "SECURITY.md").read_text().split("## Threat model")[1].split("## ")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 10
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)
    assert all("`tests/" in row[3] for row in rows)
