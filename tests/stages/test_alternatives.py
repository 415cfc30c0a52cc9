"""Alternative poses: listed where the image leaves several possible, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import Alternative, PoseEstimate
from posebot.core.transforms import Array, inverse, make, rotation_from_vector
from posebot.evaluation.pose_errors import mssd
from posebot.models.calibration import Calibration, ModeCalibration
from posebot.stages.certainty import assess
from posebot.stages.fuse import Fuser
from posebot.stages.pose import PoseSolver
from posebot.stages.settings import DEFAULTS
from posebot.stages.solution import PoseSolution
from tests.stages import mugs

HIDDEN, SEEN = (-20.0, -10.0, 0.0, 10.0, 20.0), (90.0, 120.0, -90.0)  # of the handle from straight behind, degrees


@pytest.fixture(scope="module")
def mug() -> ObjectModel:
    return mugs.mug()


@pytest.fixture(scope="module")
def solver(mug: ObjectModel) -> PoseSolver:
    return PoseSolver([mug])


@pytest.fixture(scope="module")
def hidden(mug: ObjectModel, solver: PoseSolver) -> list[tuple[PoseSolution, Array]]:
    examples = [mugs.example(mug, seed, HIDDEN[seed % len(HIDDEN)]) for seed in range(20)]
    return [(solver(one.frame, one.localization), one.pose) for one in examples]


def right(pose: Array, truth: Array, model: ObjectModel) -> bool:
    return bool(mssd(pose[None], truth, model.mesh.vertices, np.eye(4)[None])[0] < 0.1 * model.diameter)


def test_a_hidden_handle_is_not_guessed_but_listed(mug: ObjectModel, hidden: list[tuple[PoseSolution, Array]]) -> None:
    alone = [right(solution.pose, truth, mug) for solution, truth in hidden]
    listed = [any(right(other.cam_from_obj, truth, mug) for other in solution.alternatives)
              for solution, truth in hidden]
    assert sum(alone) <= 12  # nobody can know
    assert sum(np.logical_or(alone, listed)) >= 16


def test_alternatives_are_near_in_score_and_clearly_different(mug: ObjectModel,
                                                               hidden: list[tuple[PoseSolution, Array]]) -> None:
    for solution, _ in hidden:
        gaps = [other.gap for other in solution.alternatives]
        assert gaps == sorted(gaps)
        assert all(0 <= gap < DEFAULTS.hypotheses.alternatives.margin for gap in gaps)
        assert (solution.margin < DEFAULTS.hypotheses.alternatives.margin) == bool(gaps)
        poses = [solution.pose, *(other.cam_from_obj for other in solution.alternatives)]
        assert not any(right(a, b, mug) for i, a in enumerate(poses) for b in poses[:i])


def test_the_reason_says_so(mug: ObjectModel, hidden: list[tuple[PoseSolution, Array]]) -> None:
    doubtful = ModeCalibration(bias=-5.0, samples=100)
    for solution, _ in hidden:
        estimate = assess(solution, "mug", 3, mug.diameter, Calibration(doubtful, doubtful))
        assert estimate.alternatives == solution.alternatives
        assert ("poses explain the picture" in estimate.reason) == bool(solution.alternatives)


@pytest.mark.parametrize("angle", SEEN)
def test_a_visible_handle_decides(mug: ObjectModel, solver: PoseSolver, angle: float) -> None:
    example = mugs.example(mug, 3, angle)
    solution = solver(example.frame, example.localization)
    assert right(solution.pose, example.pose, mug)
    assert solution.alternatives == ()


def test_alternatives_stay_in_place_while_the_camera_moves_and_end_with_more_views(mug: ObjectModel) -> None:
    pose, other = make(translation=[0.1, 0, 0.05]), make(rotation_from_vector([0, 0, 0.5]), [0.1, 0, 0.05])
    first, away, second = (make(rotation_from_vector([lean, 0, 0.0]), [0.1, 0.05, 0.6]) for lean in (3.1, 0.5, 2.9))

    def seen(base_from_cam: Array, listed: tuple[Array, ...]) -> PoseEstimate:
        return PoseEstimate("mug", 3, 0.9, np.zeros(4), "low_certainty", "", inverse(base_from_cam) @ pose,
                            covariance=np.eye(6) * 1e-6, p_correct=0.5, alternatives=tuple(
                                Alternative(inverse(base_from_cam) @ one, 0.01) for one in listed))

    def frame(base_from_cam: Array) -> Frame:
        return Frame(np.zeros((480, 640, 3), np.uint8), mugs.CAMERA, None, base_from_cam)

    fuser = Fuser([mug])
    fuser(frame(first), [seen(first, (other,))])
    fuser(frame(away), [])
    (known,) = fuser.map()
    np.testing.assert_allclose(known.alternatives[0].cam_from_obj, inverse(away) @ other, atol=1e-9)
    (joined,) = fuser(frame(second), [seen(second, (other,))])
    assert joined.alternatives == ()
