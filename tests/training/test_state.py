"""The run folder's memory: stages run once, another run is refused, damage is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebot.core.errors import InputError
from posebot.training.state import STATE, RunState, locked, token


def test_a_finished_stage_is_not_run_again_until_its_token_changes(tmp_path: Path) -> None:
    calls: list[int] = []

    def work() -> dict[str, int]:
        calls.append(1)
        return {"call": len(calls)}

    said: list[str] = []
    assert RunState(tmp_path, {"seed": 0}).stage("export", "a", work, said.append) == {"call": 1}
    assert RunState(tmp_path, {"seed": 0}).stage("export", "a", work, said.append) == {"call": 1}
    assert RunState(tmp_path, {"seed": 0}).stage("export", "b", work, said.append) == {"call": 2}
    assert said == ["export     done before"]


def test_a_stage_that_fails_leaves_the_others(tmp_path: Path) -> None:
    state = RunState(tmp_path, {})
    state.stage("first", "a", lambda: {"kept": True}, print)
    with pytest.raises(ZeroDivisionError):
        state.stage("second", "a", lambda: {"never": 1 // 0}, print)
    again = RunState(tmp_path, {})
    assert again.stage("first", "a", lambda: {"kept": False}, lambda line: None) == {"kept": True}
    assert again.stage("second", "a", lambda: {"now": 1}, print) == {"now": 1}


def test_another_run_in_the_same_folder_is_refused_by_the_field(tmp_path: Path) -> None:
    RunState(tmp_path, {"seed": 0, "detector.width": 64, "detector.input_size": (256, 320)})
    RunState(tmp_path, {"seed": 0, "detector.width": 64, "detector.input_size": (256, 320)})
    with pytest.raises(InputError, match=r"started with detector\.width = 64, not 32"):
        RunState(tmp_path, {"seed": 0, "detector.width": 32, "detector.input_size": (256, 320)})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"identity": {}}'])
def test_a_damaged_state_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / STATE).write_text(content)
    with pytest.raises(InputError, match="is damaged"):
        RunState(tmp_path, {})


def test_a_folder_is_used_by_one_process_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match="another posebot train"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_tokens_follow_the_values_and_not_their_order() -> None:
    assert token({"a": 1, "b": 2}) == token({"b": 2, "a": 1})
    assert token({"a": 1}) != token({"a": 2})
