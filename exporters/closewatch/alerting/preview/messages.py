"""Who would have been told what, had the alerts that fired gone to people: the reason to trust, or to tune, before.

It plays Alertmanager over the past: routes, groups with their waiting and repeats, and what a cause hides. Silences and
the people's own tools are not known to it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from closewatch.alerting.preview.history import Episode
from closewatch.alerting.preview.routing import Inhibition, Route, Routing

Path = tuple[int, ...]
Group = tuple[tuple[str, str], ...]
Piece = tuple[float, float]
"""A time (start, end) in which an alert fires and isn't hidden."""


@dataclass(frozen=True, slots=True)
class Message:
    """A notification: when, to whom, which alerts (indices of episodes), and whether it only repeats."""

    at: float
    receiver: str
    alerts: tuple[int, ...]
    repeat: bool


def messages(episodes: Sequence[Episode], routing: Routing, shown: Sequence[list[Piece]]) -> list[Message]:
    """The notifications of alerts that fire; that they are over is not counted. `shown` is what `visible` gives."""
    groups: dict[tuple[Path, Group], list[int]] = defaultdict(list)
    routes: dict[Path, Route] = {}
    for number, episode in enumerate(episodes):
        for route in routing.routes(episode.labels):
            routes[route.path] = route
            groups[route.path, route.group(episode.labels)].append(number)
    sent: list[Message] = []
    for (path, _), numbers in groups.items():
        route = routes[path]
        sent += _of_group(route, [(number, episodes[number], shown[number]) for number in numbers])
    return sorted(sent, key=lambda message: message.at)


def visible(episodes: Sequence[Episode], inhibitions: Iterable[Inhibition]) -> list[list[Piece]]:
    """For each episode the times in which nothing hides it."""
    hidden: list[list[Piece]] = [[] for _ in episodes]
    for rule in inhibitions:
        sources: dict[tuple[str, ...], list[Episode]] = defaultdict(list)
        for episode in episodes:
            if rule.is_source(episode.labels):
                sources[rule.key(episode.labels)].append(episode)
        for number, target in enumerate(episodes):
            if rule.is_target(target.labels):
                both = rule.is_source(target.labels)
                hidden[number] += [
                    (source.start, source.end)
                    for source in sources.get(rule.key(target.labels), ())
                    # What is source and target at once is hidden by no other such alert, itself included.
                    if not (both and rule.is_target(source.labels))
                ]
    return [list(_without((one.start, one.end), times)) for one, times in zip(episodes, hidden, strict=True)]


def _without(whole: Piece, hidden: Iterable[Piece]) -> Iterator[Piece]:
    start, end = whole
    for begin, over in sorted(hidden):
        if begin >= end:
            break
        if begin > start:
            yield start, begin
        start = max(start, over)
    if start < end:
        yield start, end


def _of_group(route: Route, members: list[tuple[int, Episode, list[Piece]]]) -> Iterator[Message]:
    """What one group sends: first after its wait, then at its interval what is new, and all again at its repeat."""
    changes = sorted({time for _, _, pieces in members for piece in pieces for time in piece})
    if not changes:
        return
    known: frozenset[int] = frozenset()
    told = -math.inf
    at = _first_flush(route, members, -math.inf)
    while at < math.inf:
        firing = {number for number, episode, _ in members if episode.start <= at < episode.end}
        now = frozenset(number for number, _, pieces in members if any(begin <= at < end for begin, end in pieces))
        repeated = at - told > route.repeat_interval
        if now - known or (now and repeated):
            yield Message(at, route.receiver, tuple(sorted(now)), repeat=not now - known)
            known, told = now, at
        elif not firing or known - firing:
            known = known & firing
        if not firing:
            at = _first_flush(route, members, at)
            continue
        # Nothing happens until something changes, or the repeat is overdue: go to the flush after that.
        change = min(time for time in _borders(members) if time > at)  # the end of what fires, at the latest
        steps = math.ceil((change - at) / route.group_interval)
        if now:
            steps = min(steps, math.floor((told + route.repeat_interval - at) / route.group_interval) + 1)
        at += max(1, steps) * route.group_interval


def _first_flush(route: Route, members: list[tuple[int, Episode, list[Piece]]], after: float) -> float:
    starts = [episode.start for _, episode, _ in members if episode.start > after]
    return min(starts) + route.group_wait if starts else math.inf


def _borders(members: list[tuple[int, Episode, list[Piece]]]) -> Iterator[float]:
    for _, episode, pieces in members:
        yield episode.start
        yield episode.end
        for piece in pieces:
            yield from piece
