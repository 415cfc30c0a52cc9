from __future__ import annotations

import json

import numpy as np
import pytest

from posebot.cli.main import run
from posebot.datasets.bop_writer import GroundTruth, SceneWriter
from posebot.models.bundle import Bundle
from posebot.stages.timing import STAGES, time_stages


@pytest.fixture(scope="module")
def case(scenes, make_bundle):
    pose = scenes.pose(1)
    frame = scenes.frame(pose)
    return make_bundle(scenes.model, [scenes.localization(frame, pose)], 0.5), frame, pose


def test_every_stage_is_timed_beside_the_bare_runtime(case):
    path, frame, _ = case
    timings, objects = time_stages(Bundle.open(path), [frame] * 4, threads=1)
    by_name = {timing.name: timing for timing in timings}
    assert set(by_name) == {*STAGES, "localize, a crop", "pose, an object"}
    assert objects == 1
    assert by_name["total"].median_ms > by_name["pose"].median_ms > 0
    assert by_name["total"].bare_ms > 0
    assert by_name["pose"].ratio is None


def test_no_frames_give_no_timings(case):
    assert time_stages(Bundle.open(case[0]), []) == ([], 0.0)


def test_bench_prints_hardware_method_and_stages(case, tmp_path, capsys):
    path, frame, pose = case
    writer = SceneWriter(tmp_path / "test", 1)
    mask = np.zeros((480, 640), bool)
    mask[100:200, 100:200] = True
    writer.add(1, frame, [GroundTruth(1, pose, mask, mask, np.array([99.5, 99.5, 199.5, 199.5]), int(mask.sum()))])
    writer.finish()
    arguments = ["bench", "--bundle", str(path), "--dataset", str(tmp_path), "--frames", "1", "--threads", "1"]
    assert run([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["hardware"]["cores"] >= 1
    assert report["method"]
    assert [stage["name"] for stage in report["runs"][0]["stages"]][:len(STAGES)] == list(STAGES)
    assert run(arguments) == 0
    assert "detect" in capsys.readouterr().out


def test_bench_names_a_runtime_that_is_not_known(case, capsys):
    assert run(["bench", "--bundle", str(case[0]), "--runtime", "tensorrt"]) == 2
    assert "not known" in capsys.readouterr().err
