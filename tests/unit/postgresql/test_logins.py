"""The collector `logins`."""

from __future__ import annotations

import pytest

from closewatch.postgresql.logins import LOGINS, PROGRAMS
from tests.unit.postgresql.reading import PRIMARY, read, target, value

STANDBY = "10.0.0.2:5432"
COUNTS = {"readable": True, "client_yes": 4, "client_no": 1, "replication_yes": 0, "replication_no": 2}
NOBODY = {**COUNTS, **dict.fromkeys(["role", "database", "program", "sessions", "newest", "owner", "superuser"])}
UNEXPECTED = "closewatch_postgresql_unexpected_sessions"


def session(role, database="odoo_acme", program="other", *, owner=False, superuser=False, sessions=1, newest=100.0):
    return {
        **COUNTS,
        "role": role,
        "database": database,
        "program": program,
        "sessions": sessions,
        "newest": newest,
        "owner": owner,
        "superuser": superuser,
    }


def unexpected(*rows, on=None):
    """The programs of unexpected sessions and their number."""
    lines = read(LOGINS, *rows, on=on)
    counts = {program: value(lines, f'{UNEXPECTED}{{member="{PRIMARY}",program="{program}"}}') for program in PROGRAMS}
    return {program: count for program, count in counts.items() if count}


def test_remote_sessions():
    lines = read(LOGINS, NOBODY)
    start = f'closewatch_postgresql_remote_sessions{{member="{PRIMARY}",purpose='
    assert value(lines, start + '"client",encrypted="yes"}') == 4
    assert value(lines, start + '"client",encrypted="no"}') == 1
    assert value(lines, start + '"replication",encrypted="yes"}') == 0
    assert value(lines, start + '"replication",encrypted="no"}') == 2


def test_nobody_is_there():
    assert unexpected(NOBODY) == {}


def test_the_owner_is_expected_and_others_are_not():
    assert unexpected(session("odoo", owner=True), session("alice", sessions=3)) == {"other": 3}


def test_closewatch_itself_and_listed_roles_are_expected():
    allowing = target(access={"allow": ["reporting"]})
    assert unexpected(session("closewatch"), session("reporting", program="dump"), on=allowing) == {}
    assert unexpected(session("reporting", program="dump")) == {"dump": 1}


@pytest.mark.parametrize("program", ["psql", "pgadmin", "dbeaver", "other_tool"])
def test_a_persons_tool_is_unexpected_whoever_uses_it(program):
    allowing = target(access={"allow": ["reporting"]})
    rows = [session("odoo", owner=True, program=program), session("reporting", program=program)]
    assert unexpected(*rows, on=allowing) == {program: 2}


def test_odoos_own_dump_is_expected():
    assert unexpected(session("odoo", owner=True, program="dump")) == {}


def test_a_superuser_is_expected_only_where_listed():
    row = session("postgres", owner=True, superuser=True)
    assert unexpected(row) == {"other": 1}
    assert unexpected(row, on=target(access={"allow": ["postgres"]})) == {}


def test_an_owner_must_be_one_that_may_own():
    row = session("alice", owner=True)
    assert unexpected(row, on=target(access={"owners": "odoo_.*"})) == {"other": 1}
    assert unexpected({**row, "role": "odoo_acme"}, on=target(access={"owners": "odoo_.*"})) == {}


def test_only_databases_with_books_count():
    rows = [session("alice", "postgres"), session("alice", "warehouse"), session("replicator", None)]
    assert unexpected(*rows) == {}
    assert unexpected(*rows, on=target(access={"books": "warehouse"})) == {"other": 1}


def test_what_discovery_ignores_has_no_books():
    assert unexpected(session("alice", "odoo_tmp"), on=target(ignore="odoo_tmp")) == {}


def test_where_nobody_says_which_databases_have_books_nothing_is_claimed():
    assert not any(line.startswith(UNEXPECTED) for line in read(LOGINS, session("alice"), on=target(discover=[])))


class TestBreakGlass:
    ON = target(access={"break_glass": ["emergency"]})
    NOW = "closewatch_postgresql_break_glass_sessions"
    LAST = "closewatch_postgresql_break_glass_last_start_timestamp_seconds"
    SINCE = "closewatch_postgresql_break_glass_watched_since_timestamp_seconds"

    def test_it_is_not_an_unexpected_session_too(self):
        assert unexpected(session("emergency", program="psql"), on=self.ON) == {}

    def test_it_counts_in_every_database(self):
        rows = [session("emergency", "postgres", sessions=2), session("emergency", None), session("alice")]
        lines = read(LOGINS, *rows, on=self.ON)
        assert value(lines, self.NOW) == 3
        assert value(lines, self.LAST) == 100

    def test_never_seen_is_absent_and_says_since_when(self):
        memory: dict[str, object] = {}
        read(LOGINS, NOBODY, on=self.ON, memory=memory)
        lines = read(LOGINS, NOBODY, on=self.ON, memory=memory, at=900.0)
        assert value(lines, self.NOW) == 0
        assert value(lines, self.SINCE) == 1_700_000_000
        assert not any(line.startswith(self.LAST) for line in lines)

    def test_the_newest_start_is_remembered_by_member(self):
        memory: dict[str, object] = {}
        read(LOGINS, session("emergency", newest=500.0), on=self.ON, memory=memory)
        read(LOGINS, session("emergency", newest=400.0), on=self.ON, memory=memory)
        assert value(read(LOGINS, NOBODY, on=self.ON, memory=memory), self.LAST) == 500
        lines = read(LOGINS, NOBODY, on=self.ON, memory=memory, member=STANDBY)
        assert not any(line.startswith(self.LAST) for line in lines)

    def test_without_such_roles_there_are_no_series(self):
        assert not any("break_glass" in line for line in read(LOGINS, session("emergency")))
