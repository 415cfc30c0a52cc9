"""The fast error functions against the plain ones of `bop_reference.py`, and the laws that any pose error obeys."""

from __future__ import annotations

import bop_reference as reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.objects import ContinuousSymmetry, Mesh, ObjectModel
from posebot.core.transforms import exp, make, rotation_from_vector
from posebot.evaluation import pose_errors

K = np.array([[570.0, 0.3, 318.0], [0, 575.0, 243.0], [0, 0, 1]])
HALF_Z = [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
HALF_X_SHIFTED = [1, 0, 0, 0, 0, -1, 0, 3.0, 0, 0, -1, -2.0, 0, 0, 0, 1]
SPIN_Z = {"axis": [0, 0, 2], "offset": [4.0, -3.0, 1.0]}
SPIN_TILTED = {"axis": [1, 2, 2], "offset": [0, 0, 5.0]}
KINDS = {  # entries of models_info.json, millimetres
    "none": {},
    "discrete": {"symmetries_discrete": [HALF_Z]},
    "discrete, shifted": {"symmetries_discrete": [HALF_Z, HALF_X_SHIFTED]},
    "continuous": {"symmetries_continuous": [SPIN_Z]},
    "two axes": {"symmetries_continuous": [SPIN_Z, SPIN_TILTED]},
    "both": {"symmetries_discrete": [HALF_X_SHIFTED], "symmetries_continuous": [SPIN_TILTED]},
}
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(sorted(KINDS))


def transforms(kind: str) -> np.ndarray:
    """The symmetries as posebot has them, metres."""
    info = KINDS[kind]
    discrete = []
    for numbers in info.get("symmetries_discrete", []):
        matrix = np.reshape(numbers, (4, 4)).astype(float)
        matrix[:3, 3] /= 1000
        discrete.append(matrix)
    axes = tuple(ContinuousSymmetry(np.array(e["axis"]) / np.linalg.norm(e["axis"]), np.array(e["offset"]) / 1000)
                 for e in info.get("symmetries_continuous", []))
    mesh = Mesh(np.eye(3), np.array([[0, 1, 2]], np.int32))
    model = ObjectModel(1, "x", mesh, 1.0, np.zeros(3), np.ones(3), tuple(discrete), axes)
    return model.symmetry_transforms(pose_errors.BOP_STEPS)


def random_case(seed: int, count: int, vertices: int = 60, spread: float | None = None) -> tuple[np.ndarray, ...]:
    """ImageEstimates and truths (N, 4, 4), metres, near each other or anywhere in view, and a cloud of vertices."""
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(vertices, 3)) * rng.uniform(0.01, 0.06, 3)
    gt = make_poses(rng.normal(size=(count, 3)) * 2, rng.uniform([-0.3, -0.2, 0.5], [0.3, 0.2, 1.2], (count, 3)))
    scale = 10 ** rng.uniform(-3, 0, (count, 1)) if spread is None else spread
    est = exp(np.concatenate([np.zeros((count, 3)), rng.normal(size=(count, 3)) * scale], axis=1))
    est[:, :3, :3] = est[:, :3, :3] @ gt[:, :3, :3]
    est[:, :3, 3] = gt[:, :3, 3] + rng.normal(size=(count, 3)) * scale * 0.1
    return est, gt, cloud


def make_poses(vectors: np.ndarray, translations: np.ndarray) -> np.ndarray:
    return np.stack([make(rotation_from_vector(v), t) for v, t in zip(vectors, translations)])


def test_the_symmetric_sets_are_bops() -> None:
    for kind in KINDS:
        expected = np.stack(reference.symmetries(KINDS[kind]))
        expected[:, :3, 3] /= 1000
        np.testing.assert_allclose(transforms(kind), expected, atol=1e-12)
    assert len(transforms("continuous")) == pose_errors.BOP_STEPS == 315
    assert len(transforms("two axes")) == 630  # concatenated, not multiplied
    assert len(transforms("both")) == 630


def test_agree_with_the_plain_definitions_on_1000_random_cases() -> None:
    counts = {"none": 300, "discrete": 300, "discrete, shifted": 300, "continuous": 50, "two axes": 25, "both": 25}
    for number, (kind, count) in enumerate(counts.items()):
        est, gt, cloud = random_case(number, count, vertices=24)
        syms = transforms(kind)
        fast = {
            "mssd": pose_errors.mssd(est, gt, cloud, syms), "mspd": pose_errors.mspd(est, gt, K, cloud, syms),
            "add": pose_errors.add(est, gt, cloud), "adi": pose_errors.adi(est, gt, cloud),
            "rotation": pose_errors.rotation_error(est, gt, syms),
        }
        for i in range(count):
            pair = est[i], gt[i]
            plain = {
                "mssd": reference.mssd(*pair, cloud, list(syms)), "mspd": reference.mspd(*pair, K, cloud, list(syms)),
                "add": reference.add(*pair, cloud), "adi": reference.adi(*pair, cloud),
                "rotation": reference.rotation_error(*pair, list(syms)),
            }
            for name, value in plain.items():
                assert fast[name][i] == pytest.approx(value, abs=1e-6), (kind, i, name)


@settings(deadline=None, max_examples=25)
@given(seed=seeds, kind=kinds)
def test_zero_at_the_truth_and_at_its_symmetric_equivalents(seed: int, kind: str) -> None:
    _, gt, cloud = random_case(seed, 3)
    syms = transforms(kind)
    chosen = syms[np.random.default_rng(seed).integers(len(syms), size=3)]
    for est in (gt, gt @ chosen):
        assert pose_errors.mssd(est, gt, cloud, syms).max() < 1e-9
        assert pose_errors.mspd(est, gt, K, cloud, syms).max() < 1e-6
        assert pose_errors.rotation_error(est, gt, syms).max() < 1e-6
    assert pose_errors.add(gt, gt, cloud).max() < 1e-12
    assert pose_errors.adi(gt, gt, cloud).max() < 1e-12


@settings(deadline=None, max_examples=25)
@given(seed=seeds, kind=kinds)
def test_laws(seed: int, kind: str) -> None:
    est, gt, cloud = random_case(seed, 4)
    syms, world = transforms(kind), random_case(seed + 1, 1)[0][0]
    alone = pose_errors.mssd(est, gt, cloud, syms[:1])
    found = pose_errors.mssd(est, gt, cloud, syms)
    np.testing.assert_allclose(pose_errors.mssd(world @ est, world @ gt, cloud, syms), found, atol=1e-9)
    assert (found <= alone + 1e-12).all()
    assert (pose_errors.adi(est, gt, cloud) <= pose_errors.add(est, gt, cloud) + 1e-12).all()
    assert (pose_errors.add(est, gt, cloud) <= alone + 1e-12).all()
    np.testing.assert_allclose(pose_errors.add(est, gt, cloud), pose_errors.add(gt, est, cloud), atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(shift=st.tuples(*[st.floats(-0.2, 0.2)] * 3))
def test_a_pure_shift_is_measured_as_it_is(shift: tuple[float, float, float]) -> None:
    _, gt, cloud = random_case(5, 1)
    est = gt.copy()
    est[0, :3, 3] += shift
    length = np.linalg.norm(shift)
    for value in (pose_errors.mssd(est, gt, cloud, np.eye(4)[None]), pose_errors.add(est, gt, cloud),
                  pose_errors.translation_error(est, gt)):
        assert value[0] == pytest.approx(length, abs=1e-12)


def test_rotation_error_in_radians() -> None:
    turned = make(rotation_from_vector([0, 0, 0.5]))
    assert pose_errors.rotation_error(turned, np.eye(4))[0] == pytest.approx(0.5)
    assert pose_errors.rotation_error(make(rotation_from_vector([0, 0, np.pi - 0.1])), np.eye(4),
                                 transforms("discrete"))[0] == pytest.approx(0.1)


def test_one_truth_for_many_estimates_and_none_at_all() -> None:
    est, gt, cloud = random_case(3, 5)
    syms = transforms("discrete")
    np.testing.assert_array_equal(pose_errors.mssd(est, gt[0], cloud, syms),
                                  pose_errors.mssd(est, np.repeat(gt[:1], 5, axis=0), cloud, syms))
    nothing = np.zeros((0, 4, 4))
    for value in (pose_errors.mssd(nothing, nothing, cloud, syms), pose_errors.mspd(nothing, nothing, K, cloud, syms),
                  pose_errors.add(nothing, nothing, cloud), pose_errors.adi(nothing, nothing, cloud),
                  pose_errors.rotation_error(nothing, nothing, syms), pose_errors.translation_error(nothing, nothing)):
        assert value.shape == (0,)


def all_errors(est: np.ndarray, gt: np.ndarray, cloud: np.ndarray, syms: np.ndarray) -> list[np.ndarray]:
    return [pose_errors.mssd(est, gt, cloud, syms), pose_errors.mspd(est, gt, K, cloud, syms),
            pose_errors.add(est, gt, cloud)]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    est, gt, cloud = random_case(8, 7)
    syms = transforms("both")
    whole = all_errors(est, gt, cloud, syms)
    monkeypatch.setattr(pose_errors, "_CHUNK", 1)
    parts = all_errors(est, gt, cloud, syms)
    np.testing.assert_allclose(whole, parts, atol=1e-12)


def test_a_vertex_in_the_cameras_plane_is_infinitely_wrong() -> None:
    cloud = np.array([[0.0, 0, 0], [0.01, 0, 0]])
    est, gt = make(translation=[0, 0, 0.0]), make(translation=[0, 0, 1.0])
    assert pose_errors.mspd(est, gt, K, cloud, np.eye(4)[None])[0] == np.inf
