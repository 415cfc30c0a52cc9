"""The figures of report.json and the page for people."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from small_bop_dataset import OBJECTS, POSES

from posebot.core.frame import Frame
from posebot.core.transforms import make, rotation_from_vector
from posebot.datasets.bop import ImageKey
from posebot.evaluation import charts
from posebot.evaluation.failure_cases import describe_error
from posebot.evaluation.published_results import dataset_column
from posebot.evaluation.records import EvaluatedEstimate, ImageRecord
from posebot.evaluation.report import HTML_FILE, JSON_FILE, write_report
from posebot.evaluation.run import evaluate, local_executor
from posebot.evaluation.summary import bins, summarize
from posebot.evaluation.worker import EvaluationSplit, ImageEstimates

SUBJECT = {"bundle": "<made> 1.0", "dataset": "/some/lmo", "split": "test"}


class Claiming:
    """A source that finds the boxes almost right, one can nowhere, and one box flipped; and is sure of all of it."""

    def estimate(self, key: ImageKey, frame: Frame) -> ImageEstimates:
        found = []
        for obj_id, pose in POSES[key]:
            if obj_id == 2 and key.scene_id == 2:
                continue
            off = make(rotation_from_vector([0, 0, np.pi] if key.im_id else [0, 0, 0]), [0, 0, 0.002])
            found.append(EvaluatedEstimate(obj_id, 0.9, pose @ off, [40, 30, 70, 60], "ok", 0.9, [[0.005, 0.1]] * 4))
        return ImageEstimates(tuple(found), tuple(np.eye(6) * 1e-4 for _ in found), 0.25)


@pytest.fixture(scope="module")
def records(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> list[ImageRecord]:
    split = EvaluationSplit(small_dataset, "test")
    return evaluate(split, Claiming, tmp_path_factory.mktemp("out"), {}, local_executor(1))


def test_figures(records: list[ImageRecord]) -> None:
    report = summarize(records, OBJECTS)
    assert report["frames"] == 3
    assert report["seconds_per_frame"] == pytest.approx(0.25)
    found = sum(record.inst_count.get(obj_id, 0) for record in records for obj_id in (1, 2)) - 2  # a can, a flipped box
    assert report["ADD"] == pytest.approx(found / report["targets"])
    assert report["AP_with_absent"] == report["AP"]
    assert report["per_object"]["1"]["certainty"]["count"] == 4
    assert report["certainty"]["correct"] == pytest.approx(0.8)
    assert report["certainty"]["ECE"] == pytest.approx(0.1)
    assert report["certainty"]["region90"]["translation"]["coverage"] == 1.0
    assert report["certainty"]["covariance"]["count"] == 4
    assert [row["status"] for row in report["certainty"]["per_status"]] == ["ok", "low_certainty"]
    assert report["certainty"]["alternatives"] is None
    assert len(report["certainty"]["per_visibility"]) == len(report["per_visibility"]) == 5
    assert report["detection"]["recall_50"] is not None
    assert report["notes"] == []
    assert summarize(records, OBJECTS, partial_truth=True)["AP_with_absent"] is None
    json.dumps(report, allow_nan=False)


def test_pictures_without_depth_are_counted(records: list[ImageRecord]) -> None:
    some = [replace(records[0], depth=False), *records[1:]]
    assert summarize(some, OBJECTS)["VSD"] is None
    assert summarize(some, OBJECTS)["notes"][0].startswith(f"1 of {len(records)} images have no depth")
    none = [replace(record, depth=False) for record in records]
    assert summarize(none, OBJECTS)["notes"][0].startswith("The images have no depth images, so there is no VSD")


def test_bins_hold_every_share_once() -> None:
    shares = np.linspace(0, 1, 101)
    assert np.sum([here for _, here in bins(shares)], axis=0).tolist() == [1] * 101


class Reader(HTMLParser):
    """Collects what a page asks for from outside, and counts its images."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.images += tag == "img"
        self.outside += [value for name, value in attrs
                         if name in ("src", "href") and value and not value.startswith(("data:", "#"))]


def test_the_page_needs_nothing_else(small_dataset: Path, records: list[ImageRecord], tmp_path: Path) -> None:
    report = write_report(tmp_path, EvaluationSplit(small_dataset, "test"), records, SUBJECT)
    assert json.loads((tmp_path / JSON_FILE).read_text()) == report
    text = (tmp_path / HTML_FILE).read_text()
    reader = Reader()
    reader.feed(text)
    assert reader.outside == []
    assert reader.images == 2
    assert "&lt;made&gt; 1.0 on lmo / test" in text
    assert "<made>" not in text
    assert "flipped: rotation 180°" in text
    assert "no estimate" in text
    assert "p_correct 0.90, ok" in text
    assert "<td>90%</td>" in text
    assert "colour alone" not in text
    assert "Comparison with published systems" in text
    assert '<abbr title="average recall' in text
    assert "box: " in text.split("<h2>")[0]  # the verdict comes first
    assert sorted(path.name for path in tmp_path.iterdir()) == [HTML_FILE, JSON_FILE]


def test_the_page_says_what_a_bundle_was_shown(small_dataset: Path, records: list[ImageRecord], tmp_path: Path) -> None:
    subject = {**SUBJECT, "depth": False, "shifted": True}
    write_report(tmp_path, EvaluationSplit(small_dataset, "test"), records, subject)
    assert "colour alone, with domain shift (darker" in (tmp_path / HTML_FILE).read_text()


@pytest.mark.parametrize(("dataset", "split"), [("/data/part", "test"), ("/data/lmo", "train")])
def test_published_systems_only_where_they_were_measured(small_dataset: Path, records: list[ImageRecord],
                                                         tmp_path: Path, dataset: str, split: str) -> None:
    subject = {**SUBJECT, "dataset": dataset, "split": split}
    write_report(tmp_path, EvaluationSplit(small_dataset, "test"), records, subject)
    assert "published" not in (tmp_path / HTML_FILE).read_text()


def test_the_verdict_an_object_at_a_time(small_dataset: Path, records: list[ImageRecord], tmp_path: Path) -> None:
    """Of the boxes one is flipped and one hidden by the can; of the cans one is found nowhere."""
    report = write_report(tmp_path, EvaluationSplit(small_dataset, "test"), records, {**SUBJECT, "seen": "calibrated"})
    all_of_them, box, can = report["verdict"]
    assert box.startswith("box: 100 % of 4 targets found, 75 % right to 2.0 mm 0.0° (median); ok in ")
    assert box.endswith(", right 3 of 4; region90 of ok poses 5.0 mm 5.7°, true in 3 of 4 (75 %)")
    assert can.startswith("can: 50 % of 2 targets found, 50 % right to 2.0 mm 0.0° (median); ok in ")
    assert all_of_them.startswith("all: 83 % of 6 targets found, 67 % right")
    medians = {row["label"]: row["median"]["translation_mm"] for row in report["per_object"].values()}
    assert medians["can"] is None  # half of the cans were not found: an estimate elsewhere is none of theirs
    assert medians["box"] == pytest.approx(2.0, abs=0.1)
    assert report["per_object"]["1"]["counts"] | {"in_sight": 0, "found_ok": 0, "rotation_deg": 0} == {
        "targets": 4, "found": 4, "right": 3, "in_sight": 0, "found_ok": 0, "ok": 4, "ok_right": 3,
        "translation_mm": pytest.approx(2.0), "rotation_deg": 0}
    ok, low = report["per_object"]["1"]["per_status"]
    assert ok["certainty"]["region90"]["both"]["coverage"] == 0.75 and ok["certainty"]["count"] == 4
    assert low["certainty"] is None
    assert report["left_out"] == {"images": 4, "unlisted": 0, "empty": 1, "hidden": 0}
    warning, missing = report["notes"]
    assert warning.startswith("warning: test fitted the certainty of this bundle")
    assert missing == "3 of 4 images are judged: 1 with none of the objects"
    text = (tmp_path / HTML_FILE).read_text()
    assert all(line in text for line in (*report["verdict"], *report["notes"]))


def test_a_suspected_symmetry_is_in_the_report(small_dataset: Path, tmp_path: Path) -> None:
    """All boxes are turned by half about z, in eight pictures that are one and the same."""
    def turned(record: ImageRecord) -> ImageRecord:
        wrong = tuple(replace(e, errors={**e.errors, "mssd": np.full(len(e.truths), 0.09)},
                              cam_from_obj=None if e.cam_from_obj is None else POSES[ImageKey(1, 0)][0][1] @ make(
                                  rotation_from_vector([0, 0, np.pi])))
                      for e in record.estimates if e.obj_id == 1)
        return replace(record, estimates=wrong)

    split = EvaluationSplit(small_dataset, "test")
    once = evaluate(split, Claiming, tmp_path, {}, local_executor(1))[:1]
    report = write_report(tmp_path, split, [turned(once[0])] * 8, SUBJECT)
    assert report["per_object"]["1"]["suspected_symmetry"] == {
        "axis": [0.0, 0.0, 1.0], "fold": 2, "count": 8, "wrong": 8, "flipped": 0, "option": "z/2"}
    assert report["per_object"]["2"]["suspected_symmetry"] is None
    assert report["suspected"] == [
        "box: in 100 % of the wrong poses (8 of 8) the position is right and only a half-turn about z is wrong: if the "
        "part looks the same then, declare it: posebot objects build --symmetric z/2"]
    assert report["suspected"][0] in (tmp_path / HTML_FILE).read_text()


def test_a_page_about_nothing(small_dataset: Path, tmp_path: Path) -> None:
    subject = {"estimates": "a.csv", **SUBJECT, "bundle": ""}
    report = write_report(tmp_path, EvaluationSplit(small_dataset, "test"), [], subject)
    assert report["AR"] is None
    assert report["verdict"] == []
    assert "No certainty" in (tmp_path / HTML_FILE).read_text()


def test_charts_are_whole_and_the_same_each_time() -> None:
    panels = [charts.recall_curve("MSSD", "diameters", np.array([0.1, np.inf]), 0.5, np.array([0.05])),
              charts.scatter("error", "visible", np.array([0.2, 0.9]), np.array([0.3, np.inf])),
              charts.bars("", ["a & b"], {"AR": [None], "ADD": [0.5]})]
    first = charts.draw(panels)
    assert ET.fromstring(first).tag.endswith("svg")
    assert first == charts.draw(panels)


@pytest.mark.parametrize(("twist", "word"), [
    ([0, 0, 0.002, 0, 0, 0.02], "imprecise: rotation 1°, 2 mm too far, lateral 0 mm"),
    ([0, 0, -0.05, 0, 0, 0], "wrong depth: rotation 0°, 50 mm too near"),
    ([0, 0, 0, 0, 0, 3.1], "flipped: rotation 178°"), ([0, 0, 0, 1.0, 0, 0], "wrong rotation: rotation 57°"),
    ([0.3, 0, 0, 0, 0, 0], "wrong place: rotation 0°")])
def test_what_went_wrong_in_words(twist: list[float], word: str) -> None:
    gt = make(translation=[0, 0, 0.8])
    est = make(rotation_from_vector(twist[3:]), gt[:3, 3] + twist[:3])
    assert describe_error(OBJECTS[1], gt, est).startswith(word)


def test_a_turn_about_a_symmetry_axis_is_no_error() -> None:
    gt = make(translation=[0, 0, 0.8])
    est = make(rotation_from_vector([0, 0, 2.0]), gt[:3, 3])
    assert describe_error(OBJECTS[2], gt, est).startswith("imprecise: rotation 0°")


def test_published_column_by_folder_name() -> None:
    assert [dataset_column(name) for name in ("lmo", "LM-O_dev", "ycbv / test", "ycb", "kit")] == [
        "lmo", "lmo", "ycbv", "ycbv", None]
