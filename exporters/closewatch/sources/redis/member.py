"""One server of a deployment: its held connection, what is sent in a scrape, and how the answers are handed out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from closewatch.core.collectors import Answer, Collector, On, Row
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.source import Outcome
from closewatch.sources.address import Address
from closewatch.sources.backoff import Backoff
from closewatch.sources.redis.command import INFO, PLACE, Command, Words
from closewatch.sources.redis.connection import Connection, Login, Result
from closewatch.sources.redis.rows import info, rows_of

DENIED_PAUSE = 300.0
"""Seconds for which what was denied isn't asked again: each denial is an entry in the server's ACL log."""
_ROLES = {"master": On.PRIMARY, "slave": On.STANDBY}


@dataclass(slots=True)
class Asked:
    """What a member gave: its role and state, and an outcome for each collector."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    role: On | None = None
    down: Unavailable | None = None
    facts: Row = field(default_factory=dict)
    place: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Question:
    """One named query of a collector, with the places of its lines in the batch; None where nothing is asked."""

    collector: Collector
    name: str
    command: Command | None
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is sent, each line once, and who asked for it."""

    lines: list[Words]
    questions: list[_Question]


class Member:
    """A server and its held connection; tried less often while it hangs."""

    def __init__(self, address: Address, login: Login, names: dict[str, str], without: frozenset[str]) -> None:
        self.address = address
        self._login = login
        self._names = names
        self._without = without
        self._connection: Connection | None = None
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._denied: dict[Words, float] = {}
        self._backoff = Backoff()

    def ask(self, collectors: Sequence[Collector], shard: str, deadline: Deadline) -> Asked:
        """One batch. A held connection that had ended is made again at once."""
        if (failure := self._backoff.failure) is not None:
            return Asked(down=failure)
        held = self._connection is not None
        asked = self._batch(collectors, shard, deadline)
        if held and asked.down is not None and self._connection is None and asked.down.reason is not Reason.TIMEOUT:
            asked = self._batch(collectors, shard, deadline)
        self._backoff.note(asked.down)
        return asked

    def _batch(self, collectors: Sequence[Collector], shard: str, deadline: Deadline) -> Asked:
        try:
            connection = self._connected(deadline)
        except Unavailable as failure:
            return Asked(down=failure)
        plan = self._plan(collectors, connection.version)
        asked_at, began = time.time(), time.monotonic()
        results = self._send(connection, plan.lines, deadline)
        seconds = time.monotonic() - began
        if connection.closed:
            self._connection = None
        asked = _role(results[0])
        if asked.role is None:
            return asked
        rows = _Rows(plan.lines, results)
        asked.place = {"shard": shard, "speaks": asked.role is On.PRIMARY}
        for collector in collectors:
            if collector.on not in (On.EACH, asked.role):
                continue
            mine = [question for question in plan.questions if question.collector is collector]
            tables, missing = rows.tables(mine)
            outcome = Outcome(failure=missing, seconds=seconds)
            if tables:
                tables[PLACE] = [asked.place]
                outcome.answers.append(Answer(tables, connection.version, asked_at, str(self.address)))
            asked.outcomes[collector.name] = outcome
        return asked

    def _connected(self, deadline: Deadline) -> Connection:
        if self._connection is None:
            self._connection = Connection.open(self.address, self._login, deadline)
            self._plans.clear()
        return self._connection

    def _plan(self, collectors: Sequence[Collector], version: int) -> _Plan:
        """INFO first, whoever needs it; a command of several collectors once."""
        key = tuple(collector.name for collector in collectors)
        plan = self._plans.get(key)
        if plan is None:
            (first,) = next(command for command in INFO if command.fits(version)).lines
            plan = self._plans[key] = _Plan([first], [])
            for collector in collectors:
                for name, alternatives in collector.ask.items():
                    plan.questions.append(self._question(collector, name, alternatives, version, plan.lines))
        return plan

    def _question(
        self, collector: Collector, name: str, alternatives: Sequence[Command], version: int, lines: list[Words]
    ) -> _Question:
        command = next((one for one in alternatives if one.fits(version)), None)
        wanted = command.filled(self._names) if command is not None else None
        if command is None or wanted is None or any(line[0].lower() in self._without for line in wanted):
            return _Question(collector, name, None)
        for line in wanted:
            if line not in lines:
                lines.append(line)
        return _Question(collector, name, command, tuple(lines.index(line) for line in wanted))

    def _send(self, connection: Connection, lines: Sequence[Words], deadline: Deadline) -> list[Result]:
        """One batch, without what was denied a short while ago."""
        now = time.monotonic()
        denied = {line for line in lines[1:] if self._denied.get(line, 0.0) > now}
        answers = iter(connection.batch([line for line in lines if line not in denied], deadline))
        results: list[Result] = []
        for line in lines:
            result = Result(None, Unavailable(Reason.PERMISSION)) if line in denied else next(answers)
            if line not in denied and result.failure is not None and result.failure.reason is Reason.PERMISSION:
                self._denied[line] = now + DENIED_PAUSE
            results.append(result)
        return results

    def close(self) -> None:
        """End the held connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Rows:
    """The rows of a batch's answers, each read once."""

    def __init__(self, lines: Sequence[Words], results: Sequence[Result]) -> None:
        self._lines = lines
        self._results = results
        self._read: dict[int, Sequence[Row]] = {}

    def tables(self, questions: Sequence[_Question]) -> tuple[dict[str, Sequence[Row]], Unavailable | None]:
        """The tables of one collector, none where it can't be answered; and why something is missing."""
        found: dict[str, Sequence[Row]] = {}
        missing: Unavailable | None = None
        for question in questions:
            command = question.command
            if command is None:
                continue
            try:
                found[question.name] = self._table(command, question.lines)
            except Unavailable as failure:
                if not command.optional:
                    return {}, failure
                if failure.reason is not Reason.MISSING:
                    missing = missing or failure
        return found, missing

    def _table(self, command: Command, lines: Sequence[int]) -> Sequence[Row]:
        parts = [self._rows(command, line) for line in lines]
        return parts[0] if len(parts) == 1 else [{name: row[name] for part in parts for row in part for name in row}]

    def _rows(self, command: Command, line: int) -> Sequence[Row]:
        result = self._results[line]
        if result.failure is not None:
            raise result.failure
        if line not in self._read:
            self._read[line] = rows_of(command.shape, result.raw)
        return self._read[line]


def _role(result: Result) -> Asked:
    """The role that the server says it has, and whether it loads its data."""
    try:
        if result.failure is not None:
            raise result.failure
        facts = info(result.raw)[0]
        role = _ROLES[facts["role"]]
    except Unavailable as failure:
        return Asked(down=failure)
    except (KeyError, TypeError, ValueError):
        return Asked(down=Unavailable(Reason.INVALID_ANSWER, "INFO without a role"))
    loading = facts.get("loading") == "1" and facts.get("async_loading") != "1"
    return Asked(role=role, facts=facts, down=Unavailable(Reason.STARTING, "loading its data") if loading else None)
