"""The built site, once for all tests."""

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Site:
    """Where the site was built, the builder's output and its seconds."""

    folder: Path
    output: str
    seconds: float

    @property
    def pages(self) -> list[Path]:
        return sorted(self.folder.rglob("*.html"))


@pytest.fixture(scope="session")
def site(root: Path) -> Site:
    if not (Path(sys.prefix) / "bin" / "zensical").exists():
        pytest.fail("zensical is missing: pip install 'posebot[docs]'")
    start = time.monotonic()
    command = [sys.executable, "tools/docs_build.py"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return Site(root / "site", output, time.monotonic() - start)


@pytest.fixture(scope="session")
def lychee() -> str:
    program = shutil.which("lychee", path=str(Path(sys.prefix) / "bin"))
    assert program, "lychee is missing: pip install 'posebot[docs]'"
    return program
