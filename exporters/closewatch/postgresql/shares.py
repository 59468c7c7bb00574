"""Who took how much, when only a few can be named: the largest by name, the others as one, and the sum right.

Pure counting, apart from what is counted: `statements` gives it what the server says of its largest statements and of
all together, and shows what it keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Key = tuple[str, str]
HALF_LIFE = 3600.0
"""Seconds after which work counts half when places are given out: what is shown is what costs now."""
STICKY = 2.0


class Work(NamedTuple):
    """Seconds and calls."""

    seconds: float = 0.0
    calls: float = 0.0

    def __add__(self, more: tuple[float, ...]) -> Work:  # type: ignore[override]  # a sum, not a longer tuple
        return Work(self.seconds + more[0], self.calls + more[1])

    def __sub__(self, less: Work) -> Work:
        """What was added; never less than nothing."""
        return Work(max(0.0, self.seconds - less.seconds), max(0.0, self.calls - less.calls))


NOTHING = Work()


@dataclass(slots=True)
class Shares:
    """What `shown` and all `other`s did since they are counted. Neither falls but by leaving `shown`."""

    shown: dict[Key, Work] = field(default_factory=dict)
    other: Work = NOTHING
    _member: str = ""
    _at: float = 0.0
    _said: Mapping[Key, Work] = field(default_factory=dict)
    _total: Work = NOTHING
    _score: dict[Key, float] = field(default_factory=dict)

    def update(
        self, said: Mapping[Key, Work], total: Work, *, member: str, at: float, age: float | None, most: int
    ) -> None:
        """Take what a member said `at` a time (Unix seconds): of each of its largest, and in total.

        `age` is how many seconds its figures go back, to rank them at first; `most` is how many are shown.
        """
        shown = self.shown
        if member == self._member:
            grown = {key: _growth(work, self._said[key]) for key, work in said.items() if key in self._said}
            rest = self._rest(said, total)
            decay = 0.5 ** (max(0.0, at - self._at) / HALF_LIFE)
            # Of one that wasn't told of before, all may be new, but no more than what can't be told apart.
            new = {key: min(work.seconds, rest.seconds) for key, work in said.items() if key not in grown}
            now = {key: work.seconds for key, work in grown.items()} | new
            self._score = {key: decay * self._score.get(key, 0.0) + seconds for key, seconds in now.items()}
            self._give_places(most)
            self._credit(grown, rest, shown)
        else:
            # Another server, or the first look: nothing is known to have been added.
            span = max(age or 0.0, 2 * HALF_LIFE)
            self._score = {key: work.seconds * HALF_LIFE / span for key, work in said.items()}
            self._give_places(most)
        self._member, self._at, self._said, self._total = member, at, dict(said), total

    def _rest(self, said: Mapping[Key, Work], total: Work) -> Work:
        """What all those did of whom two figures are not at hand; what was forgotten among them hides some of it."""
        known = said.keys() & self._said.keys()
        now, before = _sum(said[key] for key in known), _sum(self._said[key] for key in known)
        return (total - now) - (self._total - before)

    def _give_places(self, most: int) -> None:
        ranked = sorted(self._score, key=lambda key: (-self._score[key] * (STICKY if key in self.shown else 1.0), key))
        self.shown = {key: self.shown.get(key, NOTHING) for key in ranked[:most]}

    def _credit(self, grown: Mapping[Key, Work], rest: Work, before: Mapping[Key, Work]) -> None:
        """Growth goes to who was shown and still is: what leaves or enters now is not seen to grow under its name."""
        self.other += rest
        for key, work in grown.items():
            if key in self.shown and key in before:
                self.shown[key] += work
            else:
                self.other += work


def _growth(now: Work, before: Work) -> Work:
    """What was added; all of it where the server forgot the statement and counts it anew."""
    return now if now.calls < before.calls else now - before


def _sum(works: Iterable[Work]) -> Work:
    seconds = calls = 0.0
    for work in works:
        seconds += work.seconds
        calls += work.calls
    return Work(seconds, calls)
