"""The built site, once for all tests."""

import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Site:
    """Where the site was built, the builder's output and its seconds of CPU."""

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
    before = _cpu_seconds()
    command = [sys.executable, "tools/docs_build.py"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return Site(root / "site", output, _cpu_seconds() - before)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="session")
def lychee() -> str:
    program = shutil.which("lychee", path=str(Path(sys.prefix) / "bin"))
    assert program, "lychee is missing: pip install 'posebot[docs]'"
    return program
