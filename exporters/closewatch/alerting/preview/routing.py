"""Alertmanager's routing as its configuration states it: who is told what, in which groups, and what hides what.

Read from alertmanager.yml, to say without a running Alertmanager who would be told. Times are in seconds. A receiver's
`mute_time_intervals` and `active_time_intervals` are not read: the shipped routes have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from closewatch.alerting.preview.matchers import Labels, Matcher, conditions
from closewatch.alerting.rules import seconds

PEOPLE = {
    "closewatch-page": "platform on-call, paged",
    "closewatch-security-page": "security on-call, paged",
    "closewatch-ticket": "platform team, ticket",
    "closewatch-service": "service owner, mail",
    "closewatch-executive": "executives, mail",
    "closewatch-security": "security officer, mail",
}
"""Who is behind the receivers of the shipped configuration."""
PAGES = ("closewatch-page", "closewatch-security-page")
"""The receivers that wake somebody."""
ALL_LABELS = "..."
_DEFAULTS = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}


def people(receiver: str) -> str:
    """A receiver in words, with its name."""
    return f"{PEOPLE[receiver]} ({receiver})" if receiver in PEOPLE else receiver


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the routing tree, what it inherits filled in. `path` is unique in the tree."""

    path: tuple[int, ...]
    receiver: str
    matchers: tuple[Matcher, ...]
    group_by: tuple[str, ...]
    group_wait: float
    group_interval: float
    repeat_interval: float
    goes_on: bool = False
    routes: tuple[Route, ...] = ()

    def matching(self, labels: Labels) -> list[Route]:
        """The routes by which an alert is sent: this one where none of those below claims it."""
        if not all(matcher(labels) for matcher in self.matchers):
            return []
        found: list[Route] = []
        for route in self.routes:
            claimed = route.matching(labels)
            found += claimed
            if claimed and not route.goes_on:
                break
        return found or [self]

    def group(self, labels: Labels) -> tuple[tuple[str, str], ...]:
        """The group that an alert falls in, as its labels."""
        names = sorted(labels) if ALL_LABELS in self.group_by else self.group_by
        return tuple((name, labels.get(name, "")) for name in names)


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert of `source` fires, those of `target` with the same values of `equal` are not sent."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]

    def is_source(self, labels: Labels) -> bool:
        """Whether an alert with these labels can hide others."""
        return all(matcher(labels) for matcher in self.source)

    def is_target(self, labels: Labels) -> bool:
        """Whether it can be hidden."""
        return all(matcher(labels) for matcher in self.target)

    def key(self, labels: Labels) -> tuple[str, ...]:
        """What must be the same on both; a missing label is the empty text."""
        return tuple(labels.get(name, "") for name in self.equal)


@dataclass(frozen=True, slots=True)
class Routing:
    """A whole configuration. `silent` are receivers that send nothing."""

    root: Route
    inhibitions: tuple[Inhibition, ...] = ()
    silent: frozenset[str] = field(default_factory=frozenset)

    def routes(self, labels: Labels) -> list[Route]:
        """The routes by which an alert is sent to somebody."""
        return [route for route in self.root.matching(labels) if route.receiver not in self.silent]


def load(text: str) -> Routing:
    """Read an alertmanager.yml. Raises ValueError saying what is wrong with it."""
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"is not YAML: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("route"), dict):
        raise ValueError("has no route: expected an Alertmanager configuration")  # noqa: TRY004 - a file's content
    receivers = [each for each in config.get("receivers") or () if isinstance(each, dict)]
    silent = frozenset(
        str(each.get("name")) for each in receivers if not any(key.endswith("_configs") and each[key] for key in each)
    )
    rules = tuple(
        Inhibition(conditions(rule, "source_"), conditions(rule, "target_"), tuple(rule.get("equal") or ()))
        for rule in config.get("inhibit_rules") or ()
    )
    return Routing(_route(config["route"], {**_DEFAULTS, "group_by": (), "receiver": ""}, ()), rules, silent)


def _route(node: Mapping[str, Any], above: Mapping[str, Any], path: tuple[int, ...]) -> Route:
    own = {key: node.get(key, above[key]) for key in above}
    if not own["receiver"]:
        raise ValueError("route: receiver is missing")
    return Route(
        path,
        receiver=str(own["receiver"]),
        matchers=conditions(node) if path else (),
        group_by=tuple(own["group_by"] or ()),
        group_wait=seconds(str(own["group_wait"])),
        group_interval=seconds(str(own["group_interval"])),
        repeat_interval=seconds(str(own["repeat_interval"])),
        goes_on=bool(node.get("continue")),
        routes=tuple(_route(child, own, (*path, number)) for number, child in _children(node)),
    )


def _children(node: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, child in enumerate(node.get("routes") or ()):
        if not isinstance(child, dict):
            raise ValueError(f"route: {child!r} is not a route")  # noqa: TRY004 - a file's content
        yield number, child
