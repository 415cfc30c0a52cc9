"""Guards of what is tracked: large files, a clone's size, bundles that change without a new version (`make check`).

    python tools/check_repository.py                  # against the merge base with origin/main, the last tag, or HEAD~
    python tools/check_repository.py --base v0.1.0
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

MAX_BLOB = 1_000_000  # bytes, outside a bundle's folder
MAX_CLONE = 42_000_000  # bytes of all tracked files


def git(root: Path, *arguments: str, check: bool = True) -> str:
    """Standard output of a git command; empty where it failed and `check` is false."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=check)
    return done.stdout if done.returncode == 0 else ""


def tracked(root: Path) -> list[PurePosixPath]:
    """Every tracked file that is in the working tree."""
    names = git(root, "ls-files", "-z").split("\0")
    return [PurePosixPath(name) for name in names if name and (root / name).is_file()]


def bundles(files: list[PurePosixPath]) -> list[PurePosixPath]:
    """Folders with a bundle.yaml."""
    return [path.parent for path in files if path.name == "bundle.yaml"]


def sizes(root: Path, files: list[PurePosixPath], max_blob: int = MAX_BLOB, max_clone: int = MAX_CLONE) -> list[str]:
    """A line a file that is too large, and one where all together are."""
    exempt = set(bundles(files))
    found = []
    total = 0
    for path in files:
        size = (root / path).stat().st_size
        total += size
        if size > max_blob and exempt.isdisjoint(path.parents):
            found.append(f"{path}: {size:,} bytes; {max_blob:,} at most outside a bundle's folder")
    print(f"{len(files)} tracked files, {total / 1e6:.1f} MB (at most {max_clone / 1e6:.0f} MB)")
    if total > max_clone:
        found.append(f"tracked files: {total:,} bytes; {max_clone:,} at most")
    return found


def checksums(root: Path, folder: PurePosixPath) -> list[str]:
    """A line a file of a bundle that differs from SHA256SUMS, is missing there or here."""
    listed = dict(reversed(line.split("  ", 1)) for line in (root / folder / "SHA256SUMS").read_text().splitlines())
    here = {str(path.relative_to(root / folder)): path for path in (root / folder).rglob("*") if path.is_file()}
    here = {name: path for name, path in here.items() if name != "SHA256SUMS" and path.suffix not in (".py", ".pyc")}
    found = [f"{folder}/{name}: listed in SHA256SUMS and missing" for name in listed if name not in here]
    for name, path in here.items():
        if listed.get(name) != hashlib.sha256(path.read_bytes()).hexdigest():
            found.append(f"{folder}/{name}: not as in SHA256SUMS; posebot models show {folder.name} says what changed")
    return found


def version(text: str) -> str:
    """`version` of a bundle.yaml; empty where there is none."""
    match = re.search(r"^version: *['\"]?([^'\"\s]+)", text, re.MULTILINE)
    return match[1] if match else ""


def base(root: Path) -> str:
    """The commit to compare with: merge base with origin/main, else the last tag before HEAD, else HEAD~; or empty."""
    head = git(root, "rev-parse", "HEAD").strip()
    for command in (("merge-base", "HEAD", "origin/main"), ("describe", "--tags", "--abbrev=0", "HEAD~"),
                    ("rev-parse", "--verify", "--quiet", "HEAD~")):
        found = git(root, *command, check=False).strip()
        if found and found != head:
            return found
    return ""


def unversioned(root: Path, files: list[PurePosixPath], commit: str) -> list[str]:
    """A line a bundle whose files differ from those at `commit` and whose version is the same. Moving is no change."""
    names = map(PurePosixPath, git(root, "ls-tree", "-r", "--name-only", commit).splitlines())
    before = {path.parent.name: path.parent for path in names if path.name == "bundle.yaml"}
    found = []
    for folder in bundles(files):
        old = before.get(folder.name)
        if old is None:
            continue
        sums = git(root, "show", f"{commit}:{old}/SHA256SUMS", check=False)
        manifest = git(root, "show", f"{commit}:{old}/bundle.yaml", check=False)
        now = version((root / folder / "bundle.yaml").read_text())
        if sums != (root / folder / "SHA256SUMS").read_text() and version(manifest) == now:
            found.append(f"{folder}: files changed since {commit[:12]} and the version is still {now}; raise it")
    return found


def problems(root: Path, commit: str | None = None) -> list[str]:
    """Everything that is wrong, one line each."""
    files = tracked(root)
    found = sizes(root, files)
    for folder in bundles(files):
        found += checksums(root, folder)
    if commit is None or not git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", check=False):
        commit = base(root)  # also for a new branch, whose commit before is given as zeros
    return found + (unversioned(root, files, commit) if commit else [])


def main() -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="commit to compare bundles with")
    root = Path(git(Path.cwd(), "rev-parse", "--show-toplevel").strip())
    found = problems(root, parser.parse_args().base or None)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
