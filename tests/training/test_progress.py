"""Progress lines: read whole, described in words, followed while training writes them."""

from __future__ import annotations

import json
from pathlib import Path

from posebot.training.progress import Report, described, followed, read
from posebot.training.tracking import Tracker


def line(progress: float, **metrics: float) -> str:
    return json.dumps({"time": 100 * progress, "progress": progress, "metrics": metrics}) + "\n"


def test_a_line_that_is_cut_off_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read(path) == ([], 0)
    path.write_text(line(0.1) + line(0.2)[:-5])
    found, offset = read(path)
    assert [report.progress for report in found] == [0.1]
    path.write_text(line(0.1) + line(0.2))
    assert [report.progress for report in read(path, offset)[0]] == [0.2]


def test_described_tells_rate_waiting_and_time_left() -> None:
    first, later = Report(0, 0.5, {}), Report(600, 0.75, {"loss": 1.5, "samples_per_s": 68.2, "waited_share": 0.034})
    assert described(later, first) == " 75 %  loss 1.500  68 samples/s  waits for data 3 %  about 10 min left"
    assert described(Report(700, 1.0, {}), first) == "100 %"


def test_what_is_written_meanwhile_is_said_and_what_was_there_before_is_not(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    said: list[str] = []
    path.write_text(line(0.1))
    with followed("detector", path, said.append, Tracker(tmp_path, enabled=False)), path.open("a") as file:
        file.write(line(0.2, loss=2.0))
    assert said == ["detector    20 %  loss 2.000"]
