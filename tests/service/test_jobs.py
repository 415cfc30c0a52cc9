"""Arguments of jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import InputError
from posebot.service.jobs.arguments import ARGUMENTS, command_options, path_inside
from posebot.service.settings import load_settings


def test_arguments_of_jobs_become_options(tmp_path: Path) -> None:
    settings = load_settings(None, jobs={"folder": str(tmp_path)})
    arguments = {"dataset": "d", "out": "bundles/b", "minutes": 5, "tiny": True, "seed": 3}
    options = command_options("train", arguments, settings)
    assert options == ["--dataset", str(tmp_path / "d"), "--out", str(tmp_path / "bundles/b"), "--minutes", "5.0",
                       "--tiny", "--seed", "3"]
    assert command_options("evaluate", {"dataset": "d", "bundle": "kit"}, settings)[-1] == "kit"


@pytest.mark.parametrize(("kind", "arguments"), [
    ("train", {}), ("train", {"dataset": "d"}), ("train", {"dataset": "d", "out": "../x"}),
    ("train", {"dataset": "/etc", "out": "x"}), ("train", {"dataset": "~/x", "out": "x"}),
    ("train", {"dataset": "--out", "out": "x"}), ("train", {"dataset": "d", "out": "x", "address": "ray://evil"}),
    ("train", {"dataset": "d", "out": "x", "seed": "1"}), ("train", {"dataset": "d", "out": "x", "seed": True}),
    ("synth", {"objects": "o", "frames": 1.5, "out": "x"}), ("synth", {"objects": "o", "frames": -1, "out": "x"}),
    ("synth", {"objects": "o", "frames": 1, "out": "x", "split": "a b"}),
    ("synth", {"objects": "o", "frames": 1, "out": "x", "split": "--x"}), ("rm", {}),
])
def test_other_arguments_are_refused(tmp_path: Path, kind: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        command_options(kind, arguments, load_settings(None, jobs={"folder": str(tmp_path)}))


@given(st.text(max_size=40))
def test_no_path_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("jobs").resolve()
    try:
        path = path_inside(folder, text, "out")
    except InputError:
        return
    assert folder in path.parents


def test_links_out_of_the_folder_are_followed_and_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "link").symlink_to(tmp_path)
    with pytest.raises(InputError):
        path_inside(tmp_path / "jobs", "link/x", "out")


def test_every_kind_of_job_knows_what_it_requires() -> None:
    from posebot.service.jobs.arguments import REQUIRED

    assert all(set("|".join(REQUIRED[kind]).split("|")) <= set(ARGUMENTS[kind]) for kind in ARGUMENTS)


def test_training_takes_a_data_set_or_an_object_to_add(tmp_path: Path) -> None:
    settings = load_settings(None, jobs={"folder": str(tmp_path)})
    added = command_options("train", {"from": settings.active, "add": "new", "out": "b"}, settings)
    assert added == ["--from", settings.bundles[settings.active], "--add", str(tmp_path.resolve() / "new"),
                     "--out", str(tmp_path.resolve() / "b")]
    with pytest.raises(InputError, match="train needs dataset or add or only, out"):
        command_options("train", {"out": "b"}, settings)
