"""Time left for all of a training: a simulated clock, with true durations that no one knew before."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.training.progress import QUIET_S, Narrator
from posebot.training.timeline import PIXELS_PER_S, STAGES, Stage, Timeline, network_stage, planned, spoken


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def estimate_at(share: float, expected: dict[str, Stage], true: dict[str, float]) -> tuple[float, float]:
    """The seconds left that are told, and the true ones, when that share of the whole has passed."""
    clock, whole = Clock(), sum(true.values())
    line, end = Timeline(expected, clock), clock.now + share * sum(true.values())
    for name in STAGES:
        line.begin(name)
        start = clock.now
        for step in range(1, 101):
            clock.now = start + true[name] * step / 100
            if clock.now >= end:
                return line.left(), (1 - share) * whole
            line.at(step / 100)
        line.end(name)
    raise AssertionError


FACTOR = st.floats(0.4, 2.5)  # the machine beside the guesses


@given(minutes=st.floats(10, 240), cut=FACTOR, export=FACTOR, judge=FACTOR)
def test_a_budget_of_minutes_is_told_within_a_fifth_at_a_quarter(
        minutes: float, cut: float, export: float, judge: float) -> None:
    expected = {"samples": Stage(40.0), "detector": network_stage(0.3 * minutes, None, 81_920),
                "localizer": network_stage(0.7 * minutes, None, 16_384), "export": Stage(20.0),
                "calibrate": Stage(50.0)}
    true = {"samples": 40 * cut, "detector": 18 * minutes, "localizer": 42 * minutes, "export": 20 * export,
            "calibrate": 50 * judge}
    told, left = estimate_at(0.25, expected, true)
    assert told == pytest.approx(left, rel=0.2)


@given(machine=FACTOR, judge=FACTOR)
def test_a_budget_of_samples_is_told_within_a_fifth_at_a_quarter(machine: float, judge: float) -> None:
    expected = {"samples": Stage(40.0), "detector": network_stage(None, 20_000, 81_920),
                "localizer": network_stage(None, 200_000, 16_384), "export": Stage(20.0), "calibrate": Stage(100.0)}
    pace = machine / PIXELS_PER_S
    true = {"samples": 40.0, "detector": 20_000 * 81_920 * pace, "localizer": 200_000 * 16_384 * pace, "export": 20.0,
            "calibrate": 100 * judge}
    told, left = estimate_at(0.25, expected, true)
    assert told == pytest.approx(left, rel=0.2)


def test_a_run_that_continues_does_not_count_what_was_done_before() -> None:
    clock = Clock()
    line = Timeline({"detector": network_stage(None, 1000, 750), "localizer": Stage(100.0, known=True)}, clock)
    line.begin("detector")
    clock.now += 10
    line.at(0.5)
    clock.now += 10
    line.at(0.6)
    assert line.left() == pytest.approx(100 + 20 / 0.1 * 0.4, rel=0.25)
    line.end("detector")
    line.begin("localizer")
    line.at(0.9)
    assert line.left() == pytest.approx(10)
    clock.now += 4
    assert line.left() == pytest.approx(6)


def test_a_slow_machine_is_slow_in_what_does_not_train_too() -> None:
    line = Timeline({"localizer": network_stage(1.0, None, 20_000), "export": Stage(20.0), "calibrate": Stage(30.0)},
                    Clock())
    line.begin("localizer")
    line.speed(PIXELS_PER_S / 20_000 / 2)
    line.speed(PIXELS_PER_S / 20_000 / 2)  # said twice, counted once
    assert line.left() == pytest.approx(60 + 2 * 50)
    line.speed(PIXELS_PER_S / 20_000 * 100)
    assert line.left() == pytest.approx(60 + 0.7 * 50)


def test_of_two_budgets_the_one_that_ends_first_counts() -> None:
    assert network_stage(1.0, 10**9, 16_384) == Stage(60, known=True, sample=16_384)
    assert network_stage(60.0, 750, 1000) == Stage(1.0, 750_000.0, sample=1000)
    assert network_stage(None, None, 1) == Stage(0.0)


@pytest.mark.parametrize(("seconds", "words"), [
    (0.2, "1 s"), (40, "40 s"), (720, "12 min"), (11_520, "3.2 h")])
def test_time_in_words(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_the_plan_in_words() -> None:
    stages = {"samples": Stage(40.0), "detector": network_stage(9.0, None, 1),
              "localizer": network_stage(21.0, None, 1), "export": Stage(0.0), "calibrate": Stage(50.0)}
    assert planned(stages) == "about 32 min in all: samples 40 s, detector 9 min, localizer 21 min, calibrate 50 s"


def test_nothing_is_silent_for_ten_seconds() -> None:
    clock, said = Clock(), list[tuple[float, str]]()
    narrator = Narrator(lambda line: said.append((clock.now, line)), Timeline({"export": Stage(60.0)}, clock), clock)
    narrator.begin("export", "comparing")
    for _ in range(80):
        clock.now += 0.5
        narrator.again()
    times = [100.0, *(at for at, _ in said), clock.now]
    assert max(late - early for early, late in itertools.pairwise(times)) <= 10
    assert said[0] == (100 + QUIET_S, "export     comparing (8 s)  about 52 s left")


def test_ticks_are_said_seldom_and_the_last_one_always() -> None:
    clock, said = Clock(), list[str]()
    narrator = Narrator(said.append, Timeline({"calibrate": Stage(50.0)}, clock), clock)
    narrator.begin("calibrate")
    for done in range(1, 51):
        clock.now += 1
        narrator.at("calibrate", done / 50, f"{done} of 50", every_s=5.0)
    assert len(said) == 10
    assert said[0].startswith("calibrate  5 of 50  about 4")
    assert said[-1] == "calibrate  50 of 50"
