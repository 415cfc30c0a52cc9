"""Why nothing may have been found: what the picture, the best candidate and the training pictures tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.results import FrameResult
from posebot.models.manifest import DetectorSpec, LocalizerSpec, Manifest, ObjectRef
from posebot.models.training_range import TrainingRange
from posebot.stages.detect import Detection
from posebot.stages.nothing_found import why_nothing

CAMERA = Camera(np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]), 640, 480)
NOISE = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)
MANIFEST = Manifest("part", "0.1.0", (ObjectRef(1, "panel"),), DetectorSpec((240, 320), 0.3), LocalizerSpec(), "CC0",
                    training_range=(TrainingRange(1, (20.0, 40.0, 90.0), (0.3, 0.5, 0.9), (320, 240)),))


def candidate(side: float, score: float = 0.2) -> Detection:
    return Detection(0, score, np.array([10, 10, 10 + side, 12]))


def frame(rgb: np.ndarray = NOISE, depth: float | None = None) -> Frame:
    return Frame(rgb, CAMERA, None if depth is None else np.full((480, 640), depth, np.float32))


@pytest.mark.parametrize(("shown", "best", "words"), [
    (frame(), None, "no object of this model is in view"),
    (frame(), candidate(50, 0.05), "no object of this model is in view"),
    (frame(np.zeros_like(NOISE)), None, "the picture is nearly black"),
    (frame(np.full_like(NOISE, 250)), None, "the picture is overexposed"),
    (frame(np.full_like(NOISE, 128)), None, "hardly any contrast"),
    (frame(), candidate(60), "the best candidate, panel, scores 0.20; the threshold is 0.30"),
    (frame(), candidate(30), "it may be too small: 30 pixels wide, in the training pictures it would be 40 to 180"),
    (frame(), candidate(400), "it may be too near: 400 pixels wide"),
    (frame(depth=2.4), None, "it may be too far: all is beyond 2.40 m, the training pictures end at 0.90 m"),
    (frame(depth=0.1), None, "it may be too near: all is within 0.10 m, the training pictures begin at 0.30 m"),
    (frame(depth=0.0), None, "the depth picture is empty"),
])
def test_what_may_be_the_reason(shown: Frame, best: Detection | None, words: str) -> None:
    assert words in why_nothing(shown, best, MANIFEST)


def test_a_candidate_of_the_usual_size_is_not_called_small() -> None:
    assert "may be too" not in why_nothing(frame(depth=0.6), candidate(60), MANIFEST)
    assert "may be too" not in why_nothing(frame(), candidate(5), replace(MANIFEST, training_range=()))


def test_the_reason_is_in_the_json_only_where_there_is_one() -> None:
    result = FrameResult("1", 0.0, CAMERA, nothing_found="the picture is nearly black")
    assert FrameResult.from_dict(result.to_dict()).nothing_found == "the picture is nearly black"
    assert "nothing_found" not in result.replace(nothing_found="").to_dict()
