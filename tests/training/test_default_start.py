"""What training begins with where nothing is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from posebot.api.training import NONE, _start
from posebot.training.config import TINY, TrainConfig
from posebot.training.start import DEFAULT, default_start


def test_kit_where_its_networks_fit() -> None:
    assert default_start(TrainConfig()) == (DEFAULT, "; --from none begins from ImageNet")


def test_imagenet_where_they_do_not() -> None:
    assert default_start(TINY) == (None, ": the detector has another size than that of kit")
    bins = replace(TrainConfig(), localizer=replace(TrainConfig().localizer, bins=24))
    assert default_start(bins) == (None, ": the localizer has another size than that of kit")


def test_what_is_said_counts() -> None:
    assert _start(NONE, TrainConfig()) == (None, "")
    assert _start("lmo", TINY) == ("lmo", "")
