from __future__ import annotations

import time

import pytest

from posebot.core.waiting import EVERY_S, announced


def test_a_long_step_is_announced_and_repeated_with_its_time_until_it_ends() -> None:
    lines: list[str] = []
    with announced(lines.append, "starting Ray", every_s=0.05):
        time.sleep(0.3)
    assert lines[0] == "starting Ray …"
    assert 2 <= len(lines) - 1 <= 6 and set(lines[1:]) == {"starting Ray … 0 s"}
    said = len(lines)
    time.sleep(0.1)
    assert len(lines) == said


def test_a_failing_step_ends_its_announcements_and_no_silence_exceeds_10_s() -> None:
    lines: list[str] = []
    with pytest.raises(ZeroDivisionError), announced(lines.append, "dividing", every_s=0.01):
        1 / 0  # noqa: B018
    said = len(lines)
    time.sleep(0.05)
    assert len(lines) == said
    assert EVERY_S <= 10
