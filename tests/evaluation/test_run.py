"""Judging a small data set: records, targets, resuming, several processes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_bop_dataset import OBJECTS, POSES

from posebot.core.errors import InputError
from posebot.core.transforms import make, rotation_from_vector
from posebot.datasets.bop import ImageKey
from posebot.evaluation.bop_csv import Row, write_csv
from posebot.evaluation.image_errors import compute_pose_errors, evaluate_estimates, likelihood
from posebot.evaluation.localization import localization_table, recalls
from posebot.evaluation.metrics import EvalModel
from posebot.evaluation.records import EvaluatedEstimate, ImageRecord
from posebot.evaluation.run import FRAMES_FILE, evaluate, local_executor
from posebot.evaluation.worker import CsvEstimates, EvaluationSplit, EvaluationWorker
from posebot.objects.bop_models import make_object

SHIFT = make(translation=[0, 0, 0.004])


@pytest.fixture
def estimates(tmp_path: Path) -> Path:
    """A csv of all true poses, 4 mm too far."""
    rows = [Row(*key, obj_id, 0.9 - 0.1 * index, SHIFT @ pose, 0.05)
            for key, placed in POSES.items() for index, (obj_id, pose) in enumerate(placed)]
    write_csv(tmp_path / "estimates.csv", rows)
    return tmp_path / "estimates.csv"


def judged(dataset: Path, csv: Path, out: Path, processes: int = 1) -> list[ImageRecord]:
    split = EvaluationSplit(dataset, "test")
    return evaluate(split, partial(CsvEstimates, csv, split), out, {"what": csv.name}, local_executor(processes))


def test_errors_of_a_known_shift(small_dataset: Path, estimates: Path, tmp_path: Path) -> None:
    records = judged(small_dataset, estimates, tmp_path / "out")
    assert [record.frame_id for record in records] == ["000001/000000", "000001/000001", "000002/000000"]
    assert [record.width for record in records] == [128] * 3
    assert [record.seconds for record in records] == [0.05] * 3
    first = records[0].estimates[0]
    assert first.truths == [0]
    assert first.errors["mssd"][0] == pytest.approx(0.004, abs=1e-7)
    assert first.errors["add"][0] == pytest.approx(0.004, abs=1e-7)
    assert first.errors["rotation"][0] < 1e-6
    assert "adi" not in first.errors
    can = records[0].estimates[1]
    assert can.errors["adi"][0] <= can.errors["add"][0] + 1e-9
    assert can.errors["vsd"].shape == (1, 10)


def test_targets_without_a_file_are_what_is_at_least_10_percent_visible(small_dataset: Path, estimates: Path,
                                                                       tmp_path: Path) -> None:
    record = judged(small_dataset, estimates, tmp_path / "out")[2]
    assert [truth.obj_id for truth in record.truths] == [2, 1, 1]
    assert record.truths[2].visib_fract < 0.9
    wanted = sum(truth.visib_fract >= 0.1 for truth in record.truths[1:])
    assert record.inst_count == {1: wanted, 2: 1}
    assert [truth.target for truth in record.truths] == [True, True, wanted == 2]


def test_a_targets_file_decides(small_dataset: Path, estimates: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(small_dataset, tmp_path / "copy")
    rows = [{"scene_id": 2, "im_id": 0, "obj_id": 1, "inst_count": 1}]
    (copy / "test_targets_bop19.json").write_text(json.dumps(rows))
    record, = judged(copy, estimates, tmp_path / "out")
    assert record.inst_count == {1: 1}
    assert [truth.target for truth in record.truths] == [False, True, False]  # the most visible one
    assert len(localization_table([record], EvaluationSplit(copy, "test").open().objects)) == 1


def test_objects_can_be_chosen(small_dataset: Path) -> None:
    assert [sorted(c) for c in EvaluationSplit(small_dataset, "test", objects=(2,)).targets().values()] == [[2], [2]]
    with pytest.raises(InputError, match=r"has no target of the objects 7, 8"):
        EvaluationSplit(small_dataset, "test", objects=(7, 8)).targets()


def test_a_target_without_a_model(small_dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(small_dataset, tmp_path / "copy")
    info = json.loads((copy / "models" / "models_info.json").read_text())
    (copy / "models" / "models_info.json").write_text(json.dumps({"1": info["1"]}))
    with pytest.raises(InputError, match="has no model of object 2, which is a target"):
        EvaluationSplit(copy, "test").targets()


def test_published_poses_are_used_as_they_are(small_dataset: Path, tmp_path: Path) -> None:
    """LINEMOD's rotations are not quite orthonormal, and BOP does not mend them."""
    copy = shutil.copytree(small_dataset, tmp_path / "copy")
    path = copy / "test" / "000001" / "scene_gt.json"
    truth = json.loads(path.read_text())
    truth["0"][0]["cam_R_m2c"] = [1.01 * value for value in truth["0"][0]["cam_R_m2c"]]
    path.write_text(json.dumps(truth))
    write_csv(tmp_path / "in.csv", [Row(1, 0, 1, 1.0, POSES[1, 0][0][1])])
    record = judged(copy, tmp_path / "in.csv", tmp_path / "out")[0]
    farthest = np.linalg.norm([0.03, 0.04, 0.05])
    assert record.estimates[0].errors["mssd"][0] == pytest.approx(0.01 * farthest, rel=1e-4)


def test_two_processes_give_the_same(small_dataset: Path, estimates: Path, tmp_path: Path) -> None:
    one = judged(small_dataset, estimates, tmp_path / "one")
    two = judged(small_dataset, estimates, tmp_path / "two", processes=2)
    assert [record.to_json() for record in one] == [record.to_json() for record in two]
    assert (tmp_path / "one" / FRAMES_FILE).read_text() == (tmp_path / "two" / FRAMES_FILE).read_text()


def test_goes_on_where_it_was_killed(small_dataset: Path, estimates: Path, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judged(small_dataset, estimates, tmp_path / "out")
    path = tmp_path / "out" / FRAMES_FILE
    header, first, second, _ = path.read_text().splitlines()
    path.write_text(f"{header}\n{first}\n{second[:40]}")  # killed while it wrote the second
    seen: list[ImageKey] = []
    judge_one = EvaluationWorker.evaluate
    monkeypatch.setattr(EvaluationWorker, "evaluate", lambda self, key: (seen.append(key), judge_one(self, key))[1])
    again = judged(small_dataset, estimates, tmp_path / "out")
    assert seen == [ImageKey(1, 1), ImageKey(2, 0)]
    assert [record.to_json() for record in again] == [record.to_json() for record in whole]
    assert path.read_text().splitlines()[0] == header
    assert len(path.read_text().splitlines()) == 4


def test_another_evaluation_is_not_overwritten(small_dataset: Path, estimates: Path, tmp_path: Path) -> None:
    judged(small_dataset, estimates, tmp_path / "out")
    other = estimates.rename(tmp_path / "other.csv")
    with pytest.raises(InputError, match="belongs to another evaluation; another --out"):
        judged(small_dataset, other, tmp_path / "out")
    path = tmp_path / "out" / FRAMES_FILE
    path.write_text(path.read_text().splitlines()[0] + "\n{}\n")
    with pytest.raises(InputError, match="holds a damaged line"):
        judged(small_dataset, other.rename(estimates), tmp_path / "out")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_bad_picture_gives_its_own_error(small_dataset: Path, estimates: Path, tmp_path: Path,
                                           processes: int) -> None:
    copy = shutil.copytree(small_dataset, tmp_path / "copy")
    (copy / "test" / "000001" / "rgb" / "000001.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"000001\.png"):
        judged(copy, estimates, tmp_path / "out", processes)


def test_a_csv_about_other_objects_or_images(small_dataset: Path, tmp_path: Path) -> None:
    split, pose = EvaluationSplit(small_dataset, "test"), make(translation=[0, 0, 0.5])
    write_csv(tmp_path / "a.csv", [Row(1, 0, 5, 1.0, pose)])
    with pytest.raises(InputError, match="obj_id 5 has no model; one of"):
        CsvEstimates(tmp_path / "a.csv", split)
    write_csv(tmp_path / "b.csv", [Row(77, 0, 1, 1.0, pose)])
    with pytest.raises(InputError, match="has no estimates of the split's targets"):
        CsvEstimates(tmp_path / "b.csv", split)


def test_a_record_survives_its_line() -> None:
    errors = {"mssd": np.array([0.1, np.inf]), "vsd": np.ones((2, 10))}
    judged = EvaluatedEstimate(1, 0.5, np.eye(4), [0, 1, 2, 3], "ok", 0.75, [[0.01, 0.1]] * 4, [0, 1], errors)
    record = ImageRecord("000001/000002", 640, (), (judged, EvaluatedEstimate(2, 0.1)), {1: 2}, None)
    again = ImageRecord.from_json(record.to_json())
    assert again.to_json() == record.to_json()
    assert again.estimates[0].errors["mssd"].tolist() == [0.1, np.inf]
    assert again.estimates[0].regions == [[0.01, 0.1]] * 4
    assert again.inst_count == {1: 2}


def test_listed_poses_survive_too_and_lines_from_before_them_are_read() -> None:
    found = {"mssd": np.array([0.1]), "alternatives": np.array([[0.2, np.inf]])}
    others = [make(translation=[0, 0, z]) for z in (0.5, 0.6)]
    judged = EvaluatedEstimate(1, 0.5, np.eye(4), truths=[0], errors=found, alternatives=others, box_score=0.7)
    line = ImageRecord("000001/000002", 640, (), (judged,), {1: 1}).to_json()
    again = ImageRecord.from_json(line).estimates[0]
    assert again.errors["alternatives"].tolist() == [[0.2, np.inf]]
    np.testing.assert_array_equal(again.alternatives, others)
    assert again.box_score == 0.7
    before = json.loads(line)
    for name in ("alternatives", "box_score"):
        del before["estimates"][0][name]
    assert ImageRecord.from_json(json.dumps(before)).estimates[0].alternatives == []


def test_likelihood_of_a_gaussian() -> None:
    covariance = np.diag([0.01, 0.02, 0.03, 0.1, 0.2, 0.3]) ** 2
    est = make(translation=[0, 0, 1.0])
    gt = make(translation=[0.01, -0.02, 1.03])
    squared, nll = likelihood(est, gt, covariance, np.eye(4)[None])
    assert squared == pytest.approx(3.0)
    assert nll == pytest.approx(1.5 + np.log(np.sqrt(np.linalg.det(2 * np.pi * covariance))))
    assert likelihood(est, gt, np.zeros((6, 6)), np.eye(4)[None]) == (np.inf, np.inf)


def test_a_turn_about_the_centre_is_at_the_right_place_wherever_the_origin_is() -> None:
    """A box whose frame lies 0.5 m away: a half-turn moves the origin by twice that, and the box by nothing."""
    center = np.array([0.5, 0, 0])
    box = OBJECTS[1]
    model = make_object(1, "far", replace(box.mesh, vertices=box.mesh.vertices - box.mesh.vertices.mean(0) + center))
    turn = rotation_from_vector([0, 0, np.pi])
    truth = make(rotation_from_vector([0.3, 0.2, 0.1]), [0, 0, 1.0])
    est = truth @ make(turn, center - turn @ center) @ make(translation=[0, 0, 0.003])
    found = compute_pose_errors(est[None], truth[None], EvalModel.of(model), np.eye(3))
    assert found["translation"][0, 0] == pytest.approx(np.hypot(1.0, 0.003))
    assert found["center"][0, 0] == pytest.approx(0.003)


def test_nothing_to_judge(small_dataset: Path) -> None:
    worker = EvaluationWorker(EvaluationSplit(small_dataset, "test"), lambda: None)  # type: ignore[arg-type, return-value]
    key = ImageKey(1, 0)
    from posebot.evaluation.worker import read_ground_truth

    ground_truth = read_ground_truth(worker.dataset, key, worker.dataset.frame(key), {})
    assert evaluate_estimates(ground_truth, [], worker.eval_models) == ()
    lost = EvaluatedEstimate(1, 0.4)
    assert evaluate_estimates(ground_truth, [lost], worker.eval_models) == (lost,)
    assert isinstance(worker.eval_models[1], EvalModel)


def test_the_true_poses_of_real_photographs_score_one(real_data: Path, tmp_path: Path) -> None:
    """What the reference's own tests ask of it: truth written as a csv gets every recall of 1."""
    folder = real_data / "ycb"
    if not (folder / "test").is_dir():
        pytest.skip(f"no YCB-Video frames: {folder / 'test'} is missing")
    split = EvaluationSplit(folder, "test")
    dataset = split.open()
    keys = dataset.keys()
    write_csv(tmp_path / "gt.csv", [Row(*key, a.obj_id, 1.0, a.cam_from_obj) for key in keys
                                    for a in dataset.annotations(key)])
    records = judged(folder, tmp_path / "gt.csv", tmp_path / "out")
    found = recalls(localization_table(records, dataset.objects))
    assert {found[name] for name in ("AR", "VSD", "MSSD", "MSPD", "ADD")} == {1.0}
