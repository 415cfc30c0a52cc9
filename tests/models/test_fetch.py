"""Fetching bundles from folders, wheels and a real web server; what is not what it says is refused."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import yaml

from posebot.cli.main import run
from posebot.core.errors import BundleError, InputError, MissingFileError, OutputError, PlatformLostError
from posebot.core.objects import Mesh
from posebot.models import archive
from posebot.models.bundle import SUMS, Bundle, file_sha256, write_bundle
from posebot.models.fetch import fetch, pins
from posebot.models.manifest import DetectorSpec, LocalizerSpec, Manifest, ObjectRef
from posebot.models.reference import known_bundles, resolve
from posebot.objects.bop_models import make_object, save_objects

CORNERS = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.06, 0], [0, 0, 0.04]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)


@pytest.fixture
def wedge(tmp_path: Path) -> Path:
    save_objects(tmp_path / "models", {1: make_object(1, "wedge", Mesh(CORNERS, FACES))})
    manifest = Manifest("wedge", "1.0", (ObjectRef(1, "wedge"),), DetectorSpec((256, 320), 0.2), LocalizerSpec(), "MIT")
    return write_bundle(tmp_path / "source" / "wedge", manifest, b"detector", b"localizer", tmp_path / "models")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
        else:
            super().do_GET()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(tmp_path / "www"))) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def zipped(folder: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.make_archive(str(target), "zip", folder))


def test_a_zip_over_http_is_found_by_its_name(wedge: Path, server: str, tmp_path: Path) -> None:
    path = zipped(wedge.parent, tmp_path / "www" / "wedge")
    [found] = fetch(f"{server}/moved/wedge.zip?token=secret", sha256=file_sha256(path))
    assert (found.name, found.version, found.verified) == ("wedge", "1.0", "given")
    assert resolve("wedge") == found.folder == tmp_path / "data" / "posebot" / "bundles" / "wedge"
    assert Bundle.open("wedge").detector == b"detector"
    assert [entry.name for entry in found.folder.parent.iterdir()] == ["wedge"], "nothing else is left"
    again, = fetch(str(wedge), to=tmp_path / "elsewhere")
    assert again.folder == tmp_path / "elsewhere" / "wedge" and again.verified == "no"


def test_the_wheel_of_the_data_package(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = Path(__file__).parents[2] / "packages" / "posebot-bundles"
    copied = shutil.copytree(package, tmp_path / "package")
    shutil.rmtree(copied / "posebot_bundles" / "ycb")
    done = subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "www")],
                          cwd=copied, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = (tmp_path / "www").glob("*.whl")
    assert run(["models", "fetch", f"{server}/{wheel.name}", "--name", "lmo", "--to", str(tmp_path / "to")]) == 0
    said = capsys.readouterr().out
    assert "verified against the hash that posebot pins" in said
    assert f"--bundle {tmp_path / 'to' / 'lmo'}" in said
    assert file_sha256(tmp_path / "to" / "lmo" / SUMS) == file_sha256(known_bundles()["lmo"] / SUMS)


def test_pins_are_those_of_the_bundles_in_this_checkout() -> None:
    folders = known_bundles()
    assert set(pins()) == {"kit", "lmo", "ycb"}
    for name, versions in pins().items():
        version = Bundle.open(folders[name]).manifest.version
        assert versions[version] == file_sha256(folders[name] / SUMS), \
            f"known_bundles.json: {name} {version} is {file_sha256(folders[name] / SUMS)}"


def test_a_bundle_that_only_claims_to_be_a_known_one_is_refused(tmp_path: Path) -> None:
    forged = shutil.copytree(known_bundles()["kit"], tmp_path / "kit")
    data = yaml.safe_load((forged / "bundle.yaml").read_text())
    data["detector"]["threshold"] = 0.9
    (forged / "bundle.yaml").write_text(yaml.safe_dump(data))
    lines = [line for line in (forged / SUMS).read_text().splitlines() if not line.endswith("  bundle.yaml")]
    (forged / SUMS).write_text("\n".join([f"{file_sha256(forged / 'bundle.yaml')}  bundle.yaml", *lines]) + "\n")
    with pytest.raises(BundleError, match=r"is not the kit .* that posebot knows"):
        fetch(str(forged))
    assert "kit" not in [entry.name for entry in (tmp_path / "data" / "posebot" / "bundles").iterdir()]


def test_hashes_that_differ_are_refused(wedge: Path, tmp_path: Path) -> None:
    path = zipped(wedge, tmp_path / "wedge")
    wrong = hashlib.sha256(b"other").hexdigest()
    for source in (path, wedge):
        with pytest.raises(BundleError, match=f"{wrong}, as --sha256 says"):
            fetch(str(source), sha256=wrong)
    (wedge / "detector.onnx").write_bytes(b"changed")
    with pytest.raises(BundleError, match="does not match SHA256SUMS"):
        fetch(str(wedge))


def test_sources_that_are_none(wedge: Path, server: str, tmp_path: Path) -> None:
    (tmp_path / "www" / "text.zip").write_text("not a zip")
    zipped(tmp_path / "models", tmp_path / "www" / "models")
    for source, kind, words in [
            (str(tmp_path / "none"), MissingFileError, "no such file"), (f"{server}/none.whl", BundleError, "404"),
            (f"{server}/text.zip", BundleError, "is not a whole zip file"),
            (f"{server}/models.zip", BundleError, "no bundle"), (f"{server}/away", InputError, "is not allowed"),
            (f"{server}/short", PlatformLostError, "of 1000 bytes"),
            ("http://127.0.0.1:9/x.whl", PlatformLostError, "cannot be reached"), ("ftp://x/y", MissingFileError, "")]:
        with pytest.raises(kind, match=words):
            fetch(source)
    with pytest.raises(PlatformLostError) as caught:
        fetch("http://me:hunter2@127.0.0.1:9/x.whl?sig=hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(BundleError, match="holds no bundle kit"):
        fetch(str(wedge.parent), name="kit")


def test_nothing_else_is_replaced(wedge: Path, tmp_path: Path) -> None:
    (tmp_path / "to" / "wedge").mkdir(parents=True)
    (tmp_path / "to" / "wedge" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="is not a bundle"):
        fetch(str(wedge), to=tmp_path / "to")
    assert (tmp_path / "to" / "wedge" / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize(("name", "mode", "words"), [
    ("../outside/bundle.yaml", 0o644, "leaves the archive"), ("/tmp/bundle.yaml", 0o644, "leaves the archive"),
    ("a\\..\\bundle.yaml", 0o644, "leaves the archive"), ("a/bundle.yaml", stat.S_IFLNK | 0o777, "is a link")])
def test_archives_stay_inside_their_folder(tmp_path: Path, name: str, mode: int, words: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        file.writestr(entry, "name: x")
    with pytest.raises(BundleError, match=words):
        archive.unzip(tmp_path / "x.zip", tmp_path / "out" / "deep")
    assert not (tmp_path / "outside").exists()


def test_archives_do_not_grow_without_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bundle.yaml", b"\0" * (3 << 20))
    with pytest.raises(BundleError, match="unpacks to more than"):
        archive.unzip(tmp_path / "bomb.zip", tmp_path / "out")
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as file:
        for number in range(5):
            file.writestr(f"{number}", b"")
    with pytest.raises(BundleError, match="holds 5 files"):
        archive.unzip(tmp_path / "many.zip", tmp_path / "many")
