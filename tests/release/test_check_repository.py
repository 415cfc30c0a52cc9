"""The repository's guards, on a repository made for each case."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_repository.py"


class Repository:
    """A git repository with one bundle, `made/here`, at version 1.0.0 in its first commit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")
        self.bundle("here/made", "1.0.0", b"weights")
        self.commit()

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def bundle(self, folder: str, version: str, network: bytes) -> None:
        path = self.root / folder
        path.mkdir(parents=True, exist_ok=True)
        files = {"bundle.yaml": f"schema: 1\nname: made\nversion: {version}\n".encode(), "detector.onnx": network}
        for name, data in files.items():
            (path / name).write_bytes(data)
        (path / "SHA256SUMS").write_text(
            "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()))

    def check(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, TOOL, *arguments], cwd=self.root, capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_repository_of_one_commit_passes(repository: Repository) -> None:
    assert repository.check() == (0, "")


def test_a_large_file_is_refused_outside_a_bundle_only(repository: Repository) -> None:
    (repository.root / "here" / "made" / "models.bin").write_bytes(b"0")
    repository.bundle("here/made", "1.0.1", b"0" * 1_000_001)
    (repository.root / "here" / "made" / "models.bin").unlink()
    repository.commit()
    assert repository.check() == (0, "")
    (repository.root / "video.mp4").write_bytes(b"0" * 1_000_001)
    assert repository.check() == (0, "")  # not tracked
    repository.commit()
    code, said = repository.check()
    assert code == 1
    assert said == "video.mp4: 1,000,001 bytes; 1,000,000 at most outside a bundle's folder\n"


def test_a_changed_bundle_needs_a_new_version(repository: Repository) -> None:
    repository.bundle("here/made", "1.0.0", b"other weights")
    code, said = repository.check("--base", "HEAD")
    assert code == 1
    assert "here/made: files changed since HEAD and the version is still 1.0.0; raise it" in said
    repository.commit()
    assert repository.check()[0] == 1  # against HEAD~
    assert repository.check("--base", "0" * 40)[0] == 1
    repository.bundle("here/made", "1.1.0", b"other weights")
    assert repository.check("--base", "HEAD") == (0, "")


def test_a_tag_and_the_remote_are_compared_with(repository: Repository) -> None:
    repository.git("tag", "v1")
    repository.bundle("here/made", "1.0.0", b"other weights")
    repository.commit()
    (repository.root / "readme").write_text("more")
    repository.commit()
    assert "version is still 1.0.0" in repository.check()[1]  # HEAD~ alone has nothing to say: the tag has
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD~")
    assert repository.check() == (0, "")


def test_a_moved_bundle_is_the_same_bundle(repository: Repository) -> None:
    (repository.root / "there").mkdir()
    repository.git("mv", "here/made", "there/made")
    repository.commit()
    assert repository.check() == (0, "")


def test_files_must_be_as_the_checksums_say(repository: Repository) -> None:
    made = repository.root / "here" / "made"
    (made / "detector.onnx").write_bytes(b"changed")
    (made / "extra.txt").write_text("not listed")
    code, said = repository.check()
    assert code == 1
    assert "here/made/detector.onnx: not as in SHA256SUMS" in said
    assert "here/made/extra.txt: not as in SHA256SUMS" in said
    (made / "detector.onnx").unlink()
    assert "here/made/detector.onnx: listed in SHA256SUMS and missing" in repository.check()[1]


def test_this_repository_has_no_large_file_outside_bundles(root: Path) -> None:
    sys.path.insert(0, str(TOOL.parent))
    try:
        import check_repository as tool
    finally:
        sys.path.remove(str(TOOL.parent))
    files = tool.tracked(root)
    assert tool.sizes(root, files) == []
    assert [line for folder in tool.bundles(files) for line in tool.checksums(root, folder)] == []
