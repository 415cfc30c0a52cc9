"""The config file: what it says is taken, and what it says wrongly is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebot.core import deprecation
from posebot.core.errors import InputError
from posebot.training.config import TINY, TrainConfig, load_config, with_budget


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "train.yaml"
    path.write_text(text)
    return path


def test_what_the_file_says_is_taken_and_the_rest_stays(tmp_path: Path) -> None:
    path = written(tmp_path, "seed: 7\nlocalizer:\n  minutes: 90\n  lr: 0.001\ndetector:\n  kind: yolo\n"
                             "  input_size: [320, 416]\n  pictures: null\n")
    config = load_config(path, TINY)
    assert (config.seed, config.detector.kind, config.detector.input_size) == (7, "yolo", (320, 416))
    assert (config.localizer.minutes, config.localizer.lr, config.localizer.bins) == (90.0, 0.001, TINY.localizer.bins)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "# all defaults\n")) == TrainConfig()


@pytest.mark.parametrize(("text", "line", "words"), [
    ("seed: 1\nlocalizr:\n  lr: 1\n", 2, "localizr: unknown key"),
    ("localizer:\n  bins: 16\n  lr: fast\n", 3, "localizer.lr: fast is not valid; a number from 1e-06 to 0.1"),
    ("localizer:\n  lr: 5\n", 2, "localizer.lr: 5 is not valid; a number from 1e-06 to 0.1"),
    ("calibration:\n  tta_views: 4\n", 2, "calibration.tta_views: 4 is not valid; one of 1, 2, 3"),
    ("detector:\n  kind: ssd\n", 2, "detector.kind: ssd: is not a trainer; one of heatmap, yolo"),
    ("detector:\n  input_size: 320\n", 2, "a list of 2 whole numbers from 32 to 2048"),
    ("detector:\n  batch: true\n", 2, "detector.batch: true is not valid; a whole number from 1 to 1024"),
    ("- a\n- b\n", 1, "the document is a list; it must be a mapping"),
    ("detector: 5\n", 1, "detector: is a number; it must be a mapping"),
])
def test_mistakes_are_named_with_their_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config(written(tmp_path, text))
    assert f"train.yaml:{line}: " in str(caught.value)
    assert words in str(caught.value)


def test_deprecated_keys_are_read(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "detector: {keep: 0.5, kind: head}\nlocalizer: {keep: 0.25, jitter: 0.1}\n"
                                           "calibration: {looks: 3, standing: 0.75}\n"))
    assert config.detector.kind == "heatmap"
    assert (config.detector.weight_averaging, config.localizer.weight_averaging, config.localizer.box_jitter,
            config.calibration.tta_views, config.calibration.upright_prior) == (0.5, 0.25, 0.1, 3, 0.75)


@pytest.mark.parametrize("recipe", sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_recipes_of_the_shipped_bundles_are_valid(recipe: Path, caplog: pytest.LogCaptureFixture) -> None:
    deprecation.reset()
    assert load_config(recipe) != TrainConfig()
    assert caplog.records == []


def test_no_yaml_and_no_file_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not valid YAML"):
        load_config(written(tmp_path, "a: [1, 2\nb: }"))
    with pytest.raises(InputError, match="no such file"):
        load_config(tmp_path / "missing.yaml")


def test_budgets_from_the_command_line_win() -> None:
    config = with_budget(TINY, minutes=10, crops=5000)
    assert (config.detector.minutes, config.localizer.minutes, config.localizer.crops) == (3.0, None, 5000)
    assert with_budget(TINY) == TINY
    assert with_budget(TrainConfig()).localizer.crops is not None
