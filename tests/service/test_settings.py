from __future__ import annotations

from pathlib import Path

import pytest

from posebot.core.errors import InputError
from posebot.service.settings import load_settings


def written(folder: Path, text: str) -> Path:
    file = folder / "serve.yaml"
    file.write_text(text)
    return file


def test_the_defaults_need_no_file() -> None:
    settings = load_settings()
    assert settings.profile == "fused" and settings.host == "127.0.0.1" and settings.auth.enabled
    assert settings.cameras["wrist"].kind == "sim"


def test_paths_are_the_files_and_names_of_bundles_stay(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    settings = load_settings(written(tmp_path, "state: s\nbundles: {kit: kit, mine: mine}\njobs: {folder: d}\n"))
    assert settings.state == tmp_path / "s"
    assert settings.jobs.folder == tmp_path / "d"
    assert settings.bundles == {"kit": "kit", "mine": str(tmp_path / "mine")}


def test_the_default_state_is_the_same_with_and_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_settings().state == tmp_path / "runs" / "serve"
    assert load_settings(written(tmp_path / "etc", "port: 1234\n")).state == tmp_path / "runs" / "serve"


def test_the_command_line_wins(tmp_path: Path) -> None:
    file = written(tmp_path, "port: 1234\nprofile: fused\n")
    assert load_settings(file, profile="distributed", port=None).profile == "distributed"
    assert load_settings(file, port=None).port == 1234


@pytest.mark.parametrize(("text", "line", "words"), [
    ("port: 8000\nprot: 1\n", 2, "prot: unknown key"),
    ("port: many\n", 1, "port: many is not valid; a whole number from 0 to 65535"),
    ("limits:\n  concurrent: 0\n", 2, "limits.concurrent"),
    ("inference:\n  detector:\n    cpus: -1\n", 3, "inference.detector.cpus"),
    ("bundles: {kit: kit}\nactive: other\n", 2, "'other' is not a bundle"),
    ("auth:\n  enabled: false\nhost: 0.0.0.0\n", 2, "loopback"),
    ("streams:\n  desk: {loop: true}\n", 2, "there is no camera of this name"),
    ("cameras: {wrist: {kind: sim}}\nstreams:\n  wrist:\n    bundle: x\n", 4, "'x' is unknown"),
    ("cameras: {wrist: {kind: sim}}\nstreams:\n  wrist:\n    robot_pose: table\n", 4, "poses"),
    ("cameras: {wrist: {kind: sim}}\nstreams:\n  wrist:\n    gripper_from_cam: [1, 2]\n", 4, "rigid"),
    ("cameras: {wrist: {kind: simulator}}\n", 1, "cameras.wrist.kind: 'simulator' is not a camera kind"),
    ("port: [1\n", 2, "is not valid YAML"),
    ("- 1\n", None, "is a list"),
])
def test_a_mistake_is_reported_with_file_line_and_key(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(InputError) as refused:
        load_settings(file)
    message = str(refused.value)
    assert str(file) in message and words in message, message
    assert line is None or f"{file}:{line}:" in message, message


def test_a_password_in_broken_yaml_is_not_shown(tmp_path: Path) -> None:
    file = written(tmp_path, "cameras:\n  a: {kind: rtsp, source: rtsp://u:hunter2@h/, x: [}\n")
    with pytest.raises(InputError) as refused:
        load_settings(file)
    assert "hunter2" not in str(refused.value)


def test_deprecated_keys_are_still_read(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, "graph: {workers: 3}\nlimits: {picture_bytes: 5000}\n"))
    assert settings.inference.workers == 3 and settings.limits.image_bytes == 5000
