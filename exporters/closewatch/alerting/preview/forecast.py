"""What `closewatch preview` says: by receiver how often people would have been told, and by alert what of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from closewatch.alerting.preview.history import DAY, Episode
from closewatch.alerting.preview.messages import Message, messages, visible
from closewatch.alerting.preview.routing import PAGES, Routing, people
from closewatch.core.problems import printable

NIGHT_BEGINS, NIGHT_ENDS = 22, 7
WEEK = 7
ADVICE = (
    "Before you go from observe to notify: look at what pages. Where it pages for what is normal here, raise the limit",
    "by closewatch_threshold. Silences, and who is on call, are not known to this preview.",
)


@dataclass(frozen=True, slots=True)
class ByReceiver:
    """What one receiver would have got: messages, of them repeats, and how many at night (22 to 7)."""

    receiver: str
    messages: int
    repeats: int
    night: int


@dataclass(frozen=True, slots=True)
class ByAlert:
    """What one alert did: `told` is the number of messages with it by receiver, `seconds` how long it fired in all.

    `hidden` is how often it fired wholly behind a cause; `noisiest` the tenant, or else target, with the most episodes.
    """

    alert: str
    severity: str
    episodes: int
    seconds: float
    hidden: int
    noisiest: str
    told: dict[str, int]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole preview. `since` is when data begins; `silent` are alerts that are loaded and never fired."""

    since: float
    until: float
    receivers: tuple[ByReceiver, ...]
    alerts: tuple[ByAlert, ...]
    silent: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As plain data for JSON; times as Unix seconds."""
        return {
            "since": self.since,
            "until": self.until,
            "receivers": [{name: getattr(one, name) for name in ByReceiver.__slots__} for one in self.receivers],
            "alerts": [{name: getattr(one, name) for name in ByAlert.__slots__} for one in self.alerts],
            "silent": list(self.silent),
        }


def forecast(
    episodes: Sequence[Episode], routing: Routing, loaded: Iterable[str], since: float, until: float, zone: tzinfo
) -> Forecast:
    """What would have been sent between two times (Unix seconds)."""
    shown = visible(episodes, routing.inhibitions)
    sent = messages(episodes, routing, shown)
    names = sorted({(one.labels["alertname"], one.labels.get("severity", "")) for one in episodes})
    told: dict[tuple[str, str], Counter[str]] = {name: Counter() for name in names}
    for message in sent:
        for name in {_name(episodes[number]) for number in message.alerts}:
            told[name][message.receiver] += 1
    alerts = []
    for name in names:
        numbers = [number for number, one in enumerate(episodes) if _name(one) == name]
        places = Counter(_place(episodes[number]) for number in numbers)
        seconds = sum(episodes[number].end - episodes[number].start for number in numbers)
        hidden = sum(not shown[number] for number in numbers)
        alerts.append(ByAlert(*name, len(numbers), seconds, hidden, places.most_common(1)[0][0], dict(told[name])))
    alerts.sort(key=lambda one: (-sum(one.told.values()), -one.episodes, one.alert))
    silent = tuple(sorted(set(loaded) - {name for name, _ in names}))
    return Forecast(since, until, tuple(_receivers(sent, zone)), tuple(alerts), silent)


def report(found: Forecast, url: str) -> str:
    """The preview for a terminal."""
    days = (found.until - found.since) / DAY
    begun = datetime.fromtimestamp(found.since, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"{url}: what closewatch's alerts would have sent in {days:.1f} days, from {begun} until now", ""]
    if found.receivers:
        by_receiver = [
            (people(one.receiver), one.messages, f"{one.messages * WEEK / days:.1f}", one.repeats, one.night)
            for one in found.receivers
        ]
        lines += _table(("WHO", "MESSAGES", "A WEEK", "REPEATS", "AT NIGHT (22-7)"), by_receiver)
    else:
        lines.append("Nobody would have been told anything.")
    if found.alerts:
        head = ("ALERT", "SEVERITY", "FIRED", "FOR", "HIDDEN", "MOST OF IT", "IN MESSAGES TO")
        lines += ["", *_table(head, _rows(found))]
    lines += ["", f"{len(found.silent)} other alerts are loaded and did not fire."]
    if any(one.receiver in PAGES for one in found.receivers):
        lines += ["", *ADVICE]
    return "\n".join(lines) + "\n"


def _rows(found: Forecast) -> list[tuple[object, ...]]:
    return [
        (
            printable(one.alert),
            one.severity,
            one.episodes,
            _span(one.seconds),
            one.hidden,
            printable(one.noisiest),
            ", ".join(f"{receiver} {count}" for receiver, count in sorted(one.told.items())) or "nobody",
        )
        for one in found.alerts
    ]


def _receivers(sent: Sequence[Message], zone: tzinfo) -> Iterable[ByReceiver]:
    for receiver in sorted({message.receiver for message in sent}, key=lambda name: (name not in PAGES, name)):
        own = [message for message in sent if message.receiver == receiver]
        hours = [datetime.fromtimestamp(message.at, zone).hour for message in own]
        night = sum(hour >= NIGHT_BEGINS or hour < NIGHT_ENDS for hour in hours)
        yield ByReceiver(receiver, len(own), sum(message.repeat for message in own), night)


def _name(episode: Episode) -> tuple[str, str]:
    return episode.labels["alertname"], episode.labels.get("severity", "")


def _place(episode: Episode) -> str:
    labels = episode.labels
    return labels.get("tenant") or labels.get("target") or labels.get("cell") or labels.get("environment") or ""


def _span(seconds: float) -> str:
    for unit, size in (("d", DAY), ("h", 3600.0), ("m", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f}{unit}"
    return f"{seconds:.0f}s"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
