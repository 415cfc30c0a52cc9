"""Progress lines: read whole, described in words, followed while training writes them."""

from __future__ import annotations

import json
from pathlib import Path

from posebot.training.progress import Narrator, Report, described, followed, read
from posebot.training.timeline import Stage, Timeline
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


def test_described_tells_rate_waiting_and_the_scale_of_the_error() -> None:
    first = Report(0, 0.5, {"error": 0.4123})
    later = Report(600, 0.75, {"loss": 1.5, "error": 0.0512, "samples_per_s": 68.2, "waited_share": 0.034})
    assert described(later, first) == (
        " 75 %  loss 1.500  error 0.051 diameters (0.412 at the start)  68 samples/s  waits for data 3 %")
    assert "(0.412 at the start, kit ended at 0.240)" in described(later, first, "kit ended at 0.240")
    assert described(first, first) == " 50 %  error 0.412 diameters"
    assert described(Report(700, 1.0, {"samples_per_s": 2.34}), first) == "100 %  2.3 samples/s"


def test_what_is_written_meanwhile_is_said_and_what_was_there_before_is_not(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    said: list[str] = []
    path.write_text(line(0.1))
    narrator = Narrator(said.append, Timeline({"detector": Stage(100.0, known=True), "localizer": Stage(200.0)}))
    narrator.begin("detector")
    with followed("detector", path, narrator, Tracker(tmp_path, enabled=False)), path.open("a") as file:
        file.write(line(0.2, loss=2.0))
    assert said == ["detector    20 %  loss 2.000  about 5 min left"]
