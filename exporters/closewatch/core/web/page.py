"""The page for people: how many targets are well, and, for who may know, which are not and why.

A pure function from plain data to one page of HTML that needs nothing else: no script, no font, no picture. Names come
from watched systems: each is cut, freed of control characters and escaped, and the page forbids the browser everything
but its own style sheet.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from closewatch.core.problems import printable
from closewatch.core.web.messages import Response
from closewatch.core.web.style import CSS
from closewatch.core.words import number_of

MAX_TEXT = 200
MAX_NAME = 80
MAX_TROUBLES = 200
MAX_TARGETS = 2_000
LABELS = ("environment", "cell", "tenant")
_HASH = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "deny",
    "X-Content-Type-Options": "nosniff",
}
State = Literal["up", "down", "unknown"]
_WORDS = {"up": "up", "down": "down", "unknown": "not asked yet", "partly": "partly"}


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many targets of a kind are in which state."""

    kind: str
    up: int = 0
    down: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: with a target, or with one of its collectors. `reason` is in words."""

    kind: str
    labels: Mapping[str, str]
    reason: str
    since: dt.datetime | None = None
    collector: str = ""


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target and what is known of it. `failing` names collectors; `link` explains the target."""

    kind: str
    labels: Mapping[str, str]
    state: State
    failing: tuple[str, ...] = ()
    asked: dt.datetime | None = None
    seconds: float | None = None
    link: str = ""

    @property
    def mark(self) -> str:
        """The state, or "partly" where some collectors fail."""
        return "partly" if self.state == "up" and self.failing else self.state


@dataclass(frozen=True, slots=True)
class Link:
    """Another address of this server, such as /metrics."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class PageData:
    """All that the page says. `notes` are about closewatch itself, such as a configuration that was not loaded."""

    version: str
    now: dt.datetime
    counts: tuple[KindCount, ...]
    troubles: tuple[Trouble, ...] = ()
    targets: tuple[TargetRow, ...] = ()
    links: tuple[Link, ...] = ()
    notes: tuple[str, ...] = field(default=())


def page(data: PageData, *, details: bool) -> Response:
    """The page; without `details` only its counts, whatever the data hold."""
    parts = [_header(data), _verdict(data, details=details)]
    if details and data.notes:
        parts.append(f'<ul class="notes">{"".join(f"<li>{_text(note)}</li>" for note in data.notes)}</ul>')
    if details and data.troubles:
        parts.append(_troubles(data))
    parts.append(_counts(data))
    if details:
        parts.append(_targets(data))
    else:
        parts.append('<p class="soft">Which targets these are is shown to who logs in, and on the machine itself.</p>')
    parts.append(_footer(data))
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="light dark"><title>{_title(data)}</title><style>{CSS}</style></head>'
        f'<body><div class="page">{"".join(parts)}</div></body></html>\n'
    )
    return Response(200, "text/html; charset=utf-8", body.encode("utf-8", "replace"), HEADERS)


def _text(value: str, most: int = MAX_TEXT) -> str:
    """Fit to stand anywhere in the page, in an attribute too."""
    cut = value if len(value) <= most else value[:most] + "…"
    return html.escape(printable(cut), quote=True)


def _total(data: PageData, *states: State) -> int:
    return sum(getattr(count, state) for count in data.counts for state in states)


def _title(data: PageData) -> str:
    down = _total(data, "down")
    return f"closewatch: {down} down" if down else "closewatch"


def _header(data: PageData) -> str:
    now = data.now.astimezone(dt.UTC)
    return (
        f"<header><h1>closewatch <small>{_text(data.version)}</small></h1>"
        f'<time datetime="{now.isoformat(timespec="seconds")}">{now:%Y-%m-%d %H:%M:%S} UTC</time></header><main>'
    )


def _verdict(data: PageData, *, details: bool) -> str:
    total, down, unknown = _total(data, "up", "down", "unknown"), _total(data, "down"), _total(data, "unknown")
    partly = sum(row.mark == "partly" for row in data.targets) if details else 0
    if not total:
        kind, words = "none", "Nothing is watched: the configuration has no targets."
    elif down or partly:
        said = [f"{down} of {number_of(total, 'target')} down"] if down else []
        said += [f"{partly} answer only in part" if partly != 1 else "1 answers only in part"] if partly else []
        kind, words = "bad", f"{', '.join(said)}."
    elif unknown == total:
        kind, words = "none", "No target was asked yet: Prometheus asks them by /sd and /probe."
    else:
        kind = "ok"
        words = f"{number_of(total - unknown, 'target')} up" + (
            f", {unknown} not asked yet." if unknown else ". Nothing is wrong."
        )
    return f'<p class="verdict {kind}">{words}</p>'


def _counts(data: PageData) -> str:
    cards = []
    for count in data.counts:
        numbers = "".join(
            f'<div><dt>{words}</dt><dd class="{state}{"" if getattr(count, state) else " zero"}">'
            f"{getattr(count, state)}</dd></div>"
            for state, words in (("up", "up"), ("down", "down"), ("unknown", "not asked yet"))
        )
        cards.append(f"<li><b>{_text(count.kind)}</b><dl>{numbers}</dl></li>")
    return f'<h2>Targets by kind</h2><ul class="kinds">{"".join(cards)}</ul>' if cards else ""


def _troubles(data: PageData) -> str:
    long_ago = dt.datetime.max.replace(tzinfo=dt.UTC)
    ordered = sorted(data.troubles, key=lambda t: (bool(t.collector), t.since or long_ago, t.kind, _name(t.labels)))
    items = "".join(_trouble(trouble, data.now) for trouble in ordered[:MAX_TROUBLES])
    return f'<h2>What is wrong</h2><ul class="troubles">{items}</ul>{_more(len(ordered), MAX_TROUBLES)}'


def _trouble(trouble: Trouble, now: dt.datetime) -> str:
    since = ""
    if trouble.since is not None:
        at = trouble.since.astimezone(dt.UTC)
        since = f'<time datetime="{at.isoformat(timespec="seconds")}">for {_ago(now - trouble.since)}</time>'
    what = f"collector {_text(trouble.collector)}" if trouble.collector else "down"
    mark = "partly" if trouble.collector else "down"
    where = ", ".join(f"{label} {_text(trouble.labels[label])}" for label in LABELS if trouble.labels.get(label))
    return (
        f'<li class="{mark}"><div class="head"><span><b>{_text(_name(trouble.labels), MAX_NAME)}</b> '
        f'<span class="soft">{_text(trouble.kind)}{", " if where else ""}{where}</span></span>{since}</div>'
        f'<p><span class="mark {mark}">{what}</span> {_text(trouble.reason)}</p></li>'
    )


def _targets(data: PageData) -> str:
    if not data.targets:
        return ""
    order = {"down": 0, "partly": 1, "unknown": 2, "up": 3}
    rows = sorted(data.targets, key=lambda row: (order[row.mark], row.kind, _name(row.labels)))
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Target", "State", "Kind", *map(str.title, LABELS)))
    body = "".join(_row(row, data.now) for row in rows[:MAX_TARGETS])
    return (
        '<h2 id="all">All targets</h2><div class="table" role="region" aria-labelledby="all" tabindex="0">'
        f'<table><thead><tr>{heads}<th scope="col">Last asked</th><th scope="col" class="number">Took</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>{_more(len(rows), MAX_TARGETS)}"
    )


def _row(row: TargetRow, now: dt.datetime) -> str:
    name = _text(_name(row.labels), MAX_NAME)
    if (href := _href(row.link)) is not None:
        name = f'<a href="{href}">{name}</a>'
    failing = f' <span class="soft">{_text(", ".join(row.failing))}</span>' if row.failing else ""
    labels = "".join(f"<td>{_text(row.labels.get(label, ''))}</td>" for label in LABELS)
    asked = f"{_ago(now - row.asked)} ago" if row.asked is not None else ""
    took = f"{row.seconds * 1000:,.0f} ms" if row.seconds is not None else ""
    return (
        f'<tr><th scope="row">{name}</th><td><span class="mark {row.mark}">{_WORDS[row.mark]}</span>{failing}</td>'
        f'<td>{_text(row.kind)}</td>{labels}<td>{asked}</td><td class="number">{took}</td></tr>'
    )


def _footer(data: PageData) -> str:
    links = [
        f'<a href="{href}">{_text(link.text)}</a>' for link in data.links if (href := _href(link.href)) is not None
    ]
    return f'</main><footer><nav aria-label="Addresses">{" ".join(links)}</nav></footer>'


def _href(address: str) -> str | None:
    """Only addresses of this server: nothing that a browser would run or that leads elsewhere."""
    if not address.startswith("/") or address.startswith(("//", "/\\")) or not address.isprintable():
        return None
    return html.escape(address, quote=True)


def _name(labels: Mapping[str, str]) -> str:
    return labels.get("target", "")


def _more(count: int, most: int) -> str:
    return f'<p class="soft">And {count - most} more: see /metrics.</p>' if count > most else ""


def _ago(age: dt.timedelta) -> str:
    """A duration by its two largest units, such as 3 h 12 min."""
    seconds = max(0, int(age.total_seconds()))
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts: list[str] = []
    for unit, size in units:
        number, seconds = divmod(seconds, size)
        if number or (unit == "s" and not parts):
            parts.append(f"{number} {unit}")
        elif parts:
            break
        if len(parts) == 2:  # noqa: PLR2004 - two units
            break
    return " ".join(parts)


def kinds_of(rows: Iterable[TargetRow]) -> tuple[KindCount, ...]:
    """The counts of these targets, by kind."""
    states: dict[str, dict[str, int]] = {}
    for row in rows:
        counts = states.setdefault(row.kind, {"up": 0, "down": 0, "unknown": 0})
        counts[row.state] += 1
    return tuple(KindCount(kind, **counts) for kind, counts in sorted(states.items()))
