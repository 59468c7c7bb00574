"""What a scrape shows of scheduled checks: the newest record of each, with the time that it is of.

A collector with `recorded=NAME` is answered from the store; all others go on to the target's own source. A store that
can't be read fails these collectors, and never the others. Nothing is kept in between: what is shown is what is stored.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from closewatch.core import meta
from closewatch.core.checks import Check
from closewatch.core.collectors import Answer, Collector
from closewatch.core.deadline import Deadline
from closewatch.core.families import Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.records import Chain, Record, Store, StoreError
from closewatch.core.records.settings import RecordsSettings
from closewatch.core.source import Outcome, Reply, Source
from closewatch.core.targets import Target


class RecordsReader:
    """The store as a scrape reads it: opened when first needed, and again when it could not be."""

    def __init__(self, settings: RecordsSettings | None) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._opened: Store | None = None

    def open(self) -> Store:
        """The store that is there now: one that was replaced is opened anew. Raises StoreError."""
        if self.settings is None:
            raise StoreError("no records are configured")
        with self._lock:
            if self._opened is not None and not self._opened.current():
                self._opened.close()
                self._opened = None
            if self._opened is None:
                self._opened = self.settings.store(read_only=True)
            return self._opened

    def samples(self) -> Iterator[Sample]:
        """What is told of the store itself; nothing where none is configured."""
        if self.settings is None:
            return
        try:
            store = self.open()
            head, copies, unwritable = store.newest_head(), store.copies(), store.unwritable()
        except StoreError:
            yield meta.RECORDS_UNREADABLE(1)
            return
        yield meta.RECORDS_UNREADABLE(0)
        yield meta.RECORDS_UNWRITABLE(unwritable)
        if head is not None:
            yield meta.HEADS_SIGNED(_end_of(str(json.loads(head[0])["day"])))
        for name in self.settings.copiers():
            yield meta.HEADS_COPIED(_end_of(copies[name]) if name in copies else 0, copy=name)

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None


def _end_of(day: str) -> float:
    return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC).timestamp() + 86_400


class Recorded:
    """A source with the records of its target's checks beside it. `store` opens it, or raises StoreError."""

    def __init__(self, source: Source, target: Target, checks: Sequence[Check], store: Callable[[], Store]) -> None:
        self.source = source
        self._target = target
        self._checks = checks
        self._store = store

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """Ask the source for what it knows, and the store for the rest."""
        mine = [collector for collector in collectors if collector.recorded]
        others = [collector for collector in collectors if not collector.recorded]
        reply = self.source.ask(others, deadline)
        began, asked_at = time.monotonic(), time.time()
        try:
            names = [check.name for check in self._checks]
            found = {name: self._of(name) for name in dict.fromkeys([*names, *(one.recorded for one in mine)])}
        except StoreError as error:
            failure = Unavailable(Reason.RECORDS, str(error))
            failed = {collector.name: Outcome(failure=failure) for collector in mine}
            return Reply({**reply.outcomes, **failed}, reply.down, [*reply.samples, *self._intervals()])
        took = time.monotonic() - began
        outcomes = {}
        for collector in mine:
            tables = found.get(collector.recorded)
            answers = [Answer(tables, asked_at=asked_at)] if tables is not None else []
            outcomes[collector.name] = Outcome(answers, seconds=took)
        samples = [*reply.samples, *self._intervals(), *_about({name: found[name] for name in names})]
        return Reply({**reply.outcomes, **outcomes}, reply.down, samples)

    def close(self) -> None:
        """Let go of the source; the store is shared."""
        self.source.close()

    def _of(self, check: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        chain, store = Chain(check, self._target.kind, self._target.name), self._store()
        newest, passed = store.newest(chain), store.newest_passed(chain)
        return {"newest": [_row(one) for one in newest], "passed": [] if passed is None else [_row(passed)]}

    def _intervals(self) -> Iterator[Sample]:
        for check in self._checks:
            yield meta.CHECK_INTERVAL(check.every, check=check.name)


def _row(record: Record) -> Mapping[str, Any]:
    return {
        "result": record.result,
        "reason": record.reason,
        "start": record.start,
        "end": record.end,
        "sequence": record.sequence,
        "payload": record.payload,
    }


def _about(found: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> Iterator[Sample]:
    for check, tables in found.items():
        for newest in tables["newest"]:
            yield meta.CHECK_LAST_RUN(newest["end"], check=check)
            yield meta.CHECK_PASSED({"passed": 1, "failed": 0}.get(newest["result"]), check=check)
            if newest["reason"] is not None:
                yield meta.CHECK_FAILURE(1, check=check, reason=newest["reason"])
        for passed in tables["passed"]:
            yield meta.CHECK_LAST_PASSED(passed["end"], check=check)
