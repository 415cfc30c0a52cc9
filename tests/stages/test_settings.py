"""The settings of the pose stage: documented, recorded in bundles, overridden by experiments, and used."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebot.stages
from posebot.core.errors import InputError
from posebot.models.bundle import Bundle
from posebot.models.manifest import PoseStage
from posebot.stages import POSE_STAGE_VERSION
from posebot.stages.hypotheses.pnp_ransac import pnp_ransac
from posebot.stages.hypotheses.template_matching import match_templates
from posebot.stages.observation.evidence import gather
from posebot.stages.pipeline import Pipeline, bundle_settings
from posebot.stages.pose import PoseSolver
from posebot.stages.settings import DEFAULTS, PoseSettings, read_overrides, read_settings

PACKAGE = Path(posebot.stages.__file__).parent
CHANGES = {
    "surface.points": 500, "near_symmetries.max_distance": 0.2, "observation.colour.posterior_weight": 0.0,
    "hypotheses.templates.from_colour": 2, "hypotheses.ransac.attempts": 1, "refinement.contour.coarse": [3],
    "refinement.origin.weight": 1000.0, "refinement.depth.damping": 5.0, "scoring.depth_tolerance": 0.2,
    "scoring.weights": {"depth": {"silhouette": 50.0}},
}


def leaves(section: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for entry in fields(section):
        value = getattr(section, entry.name)
        yield from leaves(value, f"{path}{entry.name}.") if is_dataclass(value) else [(path + entry.name, value)]


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def test_every_setting_is_used_by_the_pose_stage() -> None:
    used: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name != "settings":
            used |= {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert [path for path, _ in leaves(DEFAULTS) if path.rpartition(".")[2] not in used] == []


def test_every_setting_is_documented() -> None:
    for path in (PACKAGE / "settings").glob("*.py"):
        for section in ast.parse(path.read_text()).body:
            if isinstance(section, ast.ClassDef):
                body = section.body
                for entry, after in zip(body, [*body[1:], None], strict=True):
                    if isinstance(entry, ast.AnnAssign):
                        assert isinstance(after, ast.Expr), f"{section.name}: {ast.unparse(entry)} has no docstring"


@pytest.mark.parametrize("path", CHANGES)
def test_a_setting_changes_poses_or_scores(scenes: Any, path: str) -> None:
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.003)
    localization = scenes.localization(frame, pose, noise=0.05, outliers=0.2)

    def outcome(settings: PoseSettings) -> list[Any]:
        solver = PoseSolver([scenes.model], 1, settings=settings)
        solved = [solver(frame, localization, depth) for depth in (True, False)]
        surface, evidence = solver.surfaces[0], gather(frame, localization, scenes.model, False, settings)
        counts = [len(surface.near_symmetries), len(match_templates(surface.templates, evidence, False)),
                  len(pnp_ransac(evidence))]
        return [(one.total, one.pose.tolist(), one.scores) for one in solved] + counts

    assert outcome(read_overrides(nested(path, CHANGES[path]), "test")) != outcome(DEFAULTS)


def test_only_what_differs_is_recorded_and_read_again(tmp_path: Path) -> None:
    assert DEFAULTS.overrides() == {}
    changes: Mapping[str, Any] = {"recrop": {"max_iou": 0.5}, "refinement": {"contour": {"fine": [4, 3]}},
                                  "scoring": {"weights": {"depth": {"texture": 1.0}}}}
    settings = read_overrides(changes, "test")
    assert settings.refinement.contour.fine == (4, 3)
    assert settings.overrides() == changes
    file = tmp_path / "settings.yaml"
    file.write_text("recrop: {max_iou: 0.6}\n")
    both = read_settings(file, settings)
    assert both.recrop.max_iou == 0.6 and both.refinement.contour.fine == (4, 3)


def test_errors_name_file_line_and_key(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("scoring:\n  hidden: 2\n  hiden: 3\n")
    with pytest.raises(InputError, match=r"settings.yaml.*3.*hiden: unknown key; did you mean hidden"):
        read_settings(file)
    with pytest.raises(InputError, match=r"recrop\.max_iou"):
        read_overrides({"recrop": {"max_iou": "much"}}, "bundle.yaml")


@pytest.fixture(scope="module")
def case(scenes: Any, make_bundle: Any) -> tuple[Bundle, Any]:
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.001)
    return Bundle.open(make_bundle(scenes.model, [scenes.localization(frame, pose, noise=0.02)], 0.5)), frame


def test_a_pipeline_uses_the_settings_of_its_bundle_unless_given_others(case: tuple[Bundle, Any]) -> None:
    bundle, frame = case
    stage = PoseStage(POSE_STAGE_VERSION, {"scoring": {"weights": {"depth": {"silhouette": 50.0}}}})
    recorded = replace(bundle, manifest=replace(bundle.manifest, pose_stage=stage))
    plain, own, given = (pipeline(frame).estimates[0].fit for pipeline in (
        Pipeline(bundle, threads=1), Pipeline(recorded, threads=1), Pipeline(recorded, threads=1, settings=DEFAULTS)))
    assert own != plain and given == plain
    np.testing.assert_equal(Pipeline(recorded, threads=1).solver.settings, bundle_settings(recorded))


@pytest.mark.parametrize(("version", "words"), [
    (POSE_STAGE_VERSION, None), (0, "pose stage unknown"), (POSE_STAGE_VERSION + 1, "posebot models recalibrate test")])
def test_another_version_of_the_pose_stage_is_a_warning(case: tuple[Bundle, Any], caplog: pytest.LogCaptureFixture,
                                                        version: int, words: str | None) -> None:
    bundle = replace(case[0], manifest=replace(case[0].manifest, pose_stage=PoseStage(version)))
    with caplog.at_level(logging.WARNING):
        bundle_settings(bundle)
    assert (words in caplog.text) if words else caplog.text == ""
