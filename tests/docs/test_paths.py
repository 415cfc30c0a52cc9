"""Every documentation page that code, configuration or a message names exists."""

import re
import subprocess
from pathlib import Path

_PAGE = re.compile(r"(?<![\w/.-])docs/[\w/-]+\.(?:md|json)")


def test_every_page_named_outside_the_docs_exists(root: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "posebot", "ray_apps", "recipes", "tools", "packages", "*.toml",
                             "Makefile", "*.md"], cwd=root, capture_output=True, text=True, check=True)
    missing, seen = [], 0
    for name in filter(None, listed.stdout.split("\0")):
        path = root / name
        if not path.is_file() or path.suffix in (".onnx", ".ply", ".safetensors", ".png", ".jpg", ".npz"):
            continue
        for match in _PAGE.finditer(path.read_text(errors="ignore")):
            seen += 1
            if not (root / match[0]).exists():
                missing.append(f"{name}: {match[0]}")
    assert not missing
    assert seen > 20
