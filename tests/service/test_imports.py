"""What the command line and the client import."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_line_does_not_load_the_service() -> None:
    code = ("import sys, posebot.cli.main, posebot.client; "
            "print([name for name in ('fastapi', 'ray', 'httpx', 'pydantic') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
