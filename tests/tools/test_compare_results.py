"""tools/compare_results.py: what counts as equal."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _result(number: int, p_correct: float = 0.5, total: float = 10.0, **more: Any) -> dict[str, Any]:
    return {"frame_id": f"1/{number}", "captured_at": number, "age_ms": total, "stage_ms": {"total": total},
            "estimates": [{"p_correct": p_correct, "cam_from_obj": [[1.0, 0.0]]}], **more}


def _write(path: Path, results: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(result) + "\n" for result in results))
    return str(path)


def test_equal_but_for_times_and_new_fields(tool: ModuleType, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    before = _write(tmp_path / "a", [_result(number) for number in range(5)])
    after = _write(tmp_path / "b", [_result(number, total=20.0, model={"name": "kit"}) for number in range(4)])
    assert tool.main([before, after]) == 0
    assert capsys.readouterr().out == "4 frames equal\ntotal time: 2.000 x\n"


@pytest.mark.parametrize("other", [
    _result(3, p_correct=0.5000001), _result(3) | {"estimates": []}, _result(9), _result(3) | {"estimates": [{}]}])
def test_a_difference_is_named_and_exits_with_3(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                other: dict[str, Any]) -> None:
    before = _write(tmp_path / "a", [_result(number) for number in range(5)])
    assert tool.main([before, _write(tmp_path / "b", [_result(2), other])]) == 3
    assert other["frame_id"] in capsys.readouterr().out


def test_no_frames_is_a_difference_and_no_results_is_bad_input(tool: ModuleType, tmp_path: Path,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    before = _write(tmp_path / "a", [_result(1)])
    assert tool.main([before, _write(tmp_path / "b", [])]) == 3
    assert tool.main([before, str(tmp_path / "missing")]) == 2
    assert "compare_results: error:" in capsys.readouterr().err
