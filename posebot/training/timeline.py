"""How long a training will still take: all of its stages, not only the present one.

What a stage takes is guessed at first, then measured while it runs; a budget in minutes is known from the start. The
networks' speed is told in pixels a second, so that what the detector's training measures holds for the localizer's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

STAGES = ("samples", "detector", "localizer", "export", "calibrate")
"""The stages of a training, in their order."""
IMAGE_S, EXPORT_S, CALIBRATE_S, OPEN_S = 0.1, 25.0, 0.5, 15.0
"""Guesses for two cores: seconds to cut an image, to export, to judge a held-out image, and before the first one."""
PIXELS_PER_S = 750_000.0
"""Guess for two cores: pixels of network input that training takes a second."""
_SLOWEST, _FASTEST = 4.0, 0.7  # times that other stages are taken to last on a machine of another speed
_USUAL_SAMPLE = 16_000  # pixels; smaller ones take longer than their pixels say
_WEIGHT = 0.03  # of a guess beside what was measured, as a share of the stage


@dataclass(frozen=True)
class Stage:
    """What a stage is expected to take.

    Attributes:
        seconds: the guess, or what is known. pixels: network input that it has to see; 0 where its length does not
            depend on that. known: the seconds are a budget, kept whatever the speed. sample: pixels of one sample,
            where a network is trained.
    """

    seconds: float
    pixels: float = 0.0
    known: bool = False
    sample: int = 0


def network_stage(minutes: float | None, samples: int | None, pixels: int) -> Stage:
    """A network's training: of two budgets, the one that ends first. pixels: of one sample."""
    by_speed = Stage(samples * pixels / PIXELS_PER_S, float(samples * pixels), sample=pixels) if samples else None
    by_time = Stage(60 * minutes, known=True, sample=pixels) if minutes else None
    both = [stage for stage in (by_time, by_speed) if stage is not None]
    return min(both, key=lambda stage: stage.seconds) if both else Stage(0.0)


class Timeline:
    """Follows the stages, and estimates the seconds that are left of all of them.

    Args:
        stages: what each is expected to take, in their order; those that are done already are left out.
        clock: seconds, monotonic.
    """

    def __init__(self, stages: Mapping[str, Stage], clock: Callable[[], float] = time.monotonic) -> None:
        self._stages, self._guesses, self._clock = dict(stages), dict(stages), clock
        self._now: str = ""
        self._start = self._seen = clock()
        self._first: float | None = None
        self._share = 0.0

    def begin(self, name: str) -> None:
        """The stage starts now; those before it are over."""
        order = list(self._stages)
        if name in self._stages:
            self._stages = {key: self._stages[key] for key in order[order.index(name):]}
        self._now, self._first, self._share = name, None, 0.0
        self._start = self._seen = self._clock()

    def at(self, share: float) -> None:
        """The present stage is done by this share, 0 to 1. Its first report may be far along: it was continued."""
        if self._first is None:
            self._first = share if share > 0.1 and self._clock() - self._start < 60 else 0.0
        self._share, self._seen = share, self._clock()
        stage, gained = self._stages.get(self._now), share - self._first
        if stage is not None and stage.pixels and gained > 0.02:
            speed = gained * stage.pixels / max(self._seen - self._start, 1e-9)
            self._stages = {name: other if other.known or not other.pixels or name == self._now
                            else replace(other, seconds=other.pixels / speed) for name, other in self._stages.items()}

    def speed(self, samples_per_s: float) -> None:
        """The present network trains at this speed: what does not train takes longer on a slow machine as well."""
        stage = self._stages.get(self._now)
        if stage is None or stage.sample < _USUAL_SAMPLE or samples_per_s <= 0:
            return
        factor = min(_SLOWEST, max(_FASTEST, PIXELS_PER_S / (samples_per_s * stage.sample)))
        for name, guess in self._guesses.items():
            if name in self._stages and name != self._now and not (guess.known or guess.sample):
                self._stages[name] = replace(guess, seconds=guess.seconds * factor)

    def end(self, name: str) -> None:
        """The stage is over."""
        self._stages.pop(name, None)
        self._now = ""

    def left(self) -> float:
        """Seconds until all stages are done, as far as can be told."""
        later = sum(stage.seconds for name, stage in self._stages.items() if name != self._now)
        stage = self._stages.get(self._now)
        if stage is None:
            return later
        whole = stage.seconds
        if self._first is not None and not stage.known:
            gained, elapsed = self._share - self._first, self._seen - self._start
            whole = (elapsed + _WEIGHT * whole) / (gained + _WEIGHT)
        return later + max(0.0, whole * (1 - self._share) - (self._clock() - self._seen))


def spoken(seconds: float) -> str:
    """ "12 min", "40 s", "3.2 h"."""
    if seconds > 2 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{max(seconds, 1):.0f} s"


def planned(stages: Mapping[str, Stage]) -> str:
    """ "about 32 min in all: samples 40 s, detector 9 min, localizer 21 min, export 20 s, calibrate 50 s"."""
    parts = ", ".join(f"{name} {spoken(stage.seconds)}" for name, stage in stages.items() if stage.seconds > 0)
    return f"about {spoken(sum(stage.seconds for stage in stages.values()))} in all: {parts}"
