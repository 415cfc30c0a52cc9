"""What `--bundle` takes, and where it leads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from posebot.core.errors import BundleError, MissingFileError
from posebot.models.bundle import Bundle
from posebot.models.reference import Reference, known_bundles, parse_reference, resolve, user_bundles


@pytest.mark.parametrize(("text", "reference"), [
    ("kit", Reference("name", "kit")),
    ("my bundle", Reference("name", "my bundle")),
    ("./kit", Reference("path", "./kit")),
    ("runs/kit", Reference("path", "runs/kit")),
    ("/a/kit@3", Reference("path", "/a/kit@3")),
    ("~/kit", Reference("path", "~/kit")),
    ("..", Reference("path", "..")),
    ("kit.zip", Reference("path", "kit.zip")),
    ("kit@packaged", Reference("packaged", "kit")),
    ("kit@3", Reference("registry", "kit", "3")),
    ("kit@champion", Reference("registry", "kit", "champion")),
])
def test_references(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize("text", ["", "kit@", "@3", "kit@a b", "kit@3@4"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(BundleError) as caught:
        parse_reference(text)
    assert caught.value.code == "unknown_bundle"


def test_a_name_and_a_folder_of_the_same_name_are_never_confused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    packaged = known_bundles()["kit"]
    assert resolve("kit") == packaged
    (tmp_path / "kit").mkdir()
    with pytest.raises(BundleError) as caught:
        Bundle.open("kit")
    assert caught.value.code == "ambiguous_bundle"
    assert str(packaged) in str(caught.value) and str(tmp_path / "kit") in str(caught.value)
    assert resolve("kit@packaged") == packaged
    assert resolve("./kit") == Path("./kit") and resolve(Path("kit")) == Path("kit")


def test_the_packaged_folder_itself_is_not_ambiguous(monkeypatch) -> None:
    monkeypatch.chdir(known_bundles()["kit"].parent)
    assert resolve("kit").samefile("kit")


def test_unknown_names_and_paths(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"kitt: no such bundle; a folder, a zip or kit or lmo or ycb") as caught:
        resolve("kitt")
    assert caught.value.code == "unknown_bundle"
    with pytest.raises(MissingFileError, match=r"\./kit: no such file or folder"):
        resolve("./kit")


def test_a_version_needs_a_registry(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="kit@3: a version of the model registry, and none is configured") as caught:
        resolve("kit@3")
    assert caught.value.code == "no_registry"
    assert resolve("kit@champion", registry=lambda name, version: tmp_path / name / version) == \
        tmp_path / "kit" / "champion"


def test_names_are_looked_up_in_the_package_then_in_posebot_bundles_then_with_the_user(tmp_path: Path, monkeypatch
                                                                                        ) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert user_bundles() == tmp_path / "data" / "posebot" / "bundles"
    for name in ("kit", "mine"):
        (user_bundles() / name).mkdir(parents=True)
        (user_bundles() / name / "bundle.yaml").touch()
    known = known_bundles()
    assert known["mine"] == user_bundles() / "mine"
    assert known["kit"] != user_bundles() / "kit"
    package = tmp_path / "site" / "posebot_bundles"
    (package / "lmo").mkdir(parents=True)
    (package / "lmo" / "bundle.yaml").touch()
    (package / "__init__.py").touch()
    code = "from posebot.models.reference import known_bundles; print(known_bundles()['lmo'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": f"{tmp_path / 'site'}:{Path(__file__).parents[2]}"})
    assert done.stdout.strip() == str(package / "lmo"), "an installed package goes before the checkout's"


def test_bundles_of_the_working_directory_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bundles" / "parts").mkdir(parents=True)
    (tmp_path / "bundles" / "parts" / "bundle.yaml").write_text("name: parts\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"prats: no such bundle; .* or \./bundles/parts"):
        resolve("prats")
