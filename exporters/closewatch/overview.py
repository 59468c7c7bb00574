"""What the page for people shows: the newest scrapes, as plain data for `core.web.page`."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlencode

from closewatch import __version__
from closewatch.core.scrape import Scrape
from closewatch.core.web import Request, Response
from closewatch.core.web.page import KindCount, Link, PageData, State, TargetRow, Trouble, page

LINKS = (Link("metrics of this process", "/metrics"), Link("targets for Prometheus", "/sd"))


def overview(scrapes: Iterable[Scrape], request: Request, notes: Iterable[str] = ()) -> Response:
    """The page; all of it for who is authenticated or on this machine, else counts only."""
    known = list(scrapes)
    data = PageData(
        version=__version__,
        now=datetime.now(UTC),
        counts=_counts(known),
        troubles=tuple(trouble for scrape in known for trouble in _troubles(scrape)),
        targets=tuple(_row(scrape) for scrape in known),
        links=LINKS,
        notes=tuple(notes),
    )
    return page(data, details=request.authenticated or request.loopback)


def _state(scrape: Scrape) -> State:
    if scrape.status is None:
        return "unknown"
    return "up" if scrape.status.down is None else "down"


def _counts(scrapes: Iterable[Scrape]) -> tuple[KindCount, ...]:
    tally = Tally((scrape.target.kind, _state(scrape)) for scrape in scrapes)
    kinds = dict.fromkeys(kind for kind, _ in tally)
    return tuple(
        KindCount(kind, up=tally[kind, "up"], down=tally[kind, "down"], unknown=tally[kind, "unknown"])
        for kind in kinds
    )


def _troubles(scrape: Scrape) -> Iterable[Trouble]:
    """The target's own fault alone where it explains those of its collectors."""
    target, status = scrape.target, scrape.status
    if status is None:
        return
    faults = [("", status.down)] if status.down else status.failures
    for collector, failure in faults:
        since = datetime.fromtimestamp(status.since[collector], UTC)
        yield Trouble(target.kind, target.labels, f"{failure.reason.value}: {failure.reason.words}", since, collector)


def _row(scrape: Scrape) -> TargetRow:
    target, status = scrape.target, scrape.status
    query = urlencode({"target": target.name, "kind": target.kind, "debug": "true"})
    return TargetRow(
        target.kind,
        target.labels,
        _state(scrape),
        failing=tuple(name for name, _ in status.failures) if status else (),
        asked=datetime.fromtimestamp(status.at, UTC) if status else None,
        seconds=status.seconds if status else None,
        link=f"/probe?{query}",
    )
