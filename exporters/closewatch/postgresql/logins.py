"""Who is in the books now that shouldn't be, and do sessions cross the network in plain text?

    closewatch_postgresql_remote_sessions{member="10.0.0.1:5432",purpose="client",encrypted="no"} 0
    closewatch_postgresql_unexpected_sessions{member="10.0.0.1:5432",program="psql"} 1
    closewatch_postgresql_break_glass_sessions{member="10.0.0.1:5432",role="emergency"} 0
    closewatch_postgresql_break_glass_last_start_timestamp_seconds{member="10.0.0.1:5432",role="emergency"} 1.7324e+09
    closewatch_postgresql_break_glass_watched_since_timestamp_seconds{member="10.0.0.1:5432"} 1.7320e+09

Remote is what comes neither by a Unix socket nor from a loopback address; TLS and GSSAPI encrypt. Unexpected in a
database with books (`access.books`, or what `discover` matches) is a session of a role that neither owns the database
nor is listed (`access.allow`), and of any role one of a tool that a person sits at. The tool is what the client calls
itself: who hides, is "other". Sessions are looked at once a scrape: a shorter one may be missed, the server's log has
it.

PostgreSQL doesn't keep who logged in when. closewatch remembers the newest start of a session of each break-glass
role, and says since when it has been looking: after its restart that begins anew. Each member is asked: books are read
on a standby too.

Rights: pg_monitor. Cost: three passes over the sessions. Source: pg_stat_activity, pg_stat_ssl, pg_stat_gssapi.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from closewatch.core.collectors import Answer, Collector, Memory, On, Row
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.canonical import as_text
from closewatch.postgresql.policy import books, may_own, trusted
from closewatch.postgresql.rights import readable
from closewatch.postgresql.settings import PostgresqlTarget
from closewatch.sources.postgresql.query import Query

REMOTE = Gauge(
    "closewatch_postgresql_remote_sessions",
    "Sessions from other machines, of clients and for replication, by whether they are encrypted (yes, no).",
    ("member", "purpose", "encrypted"),
)
UNEXPECTED = Gauge(
    "closewatch_postgresql_unexpected_sessions",
    "Sessions in databases with books of a role that isn't expected there, or of a person's tool, by program.",
    ("member", "program"),
)
BREAK_GLASS = Gauge(
    "closewatch_postgresql_break_glass_sessions", "Sessions of a role for emergencies now.", ("member", "role")
)
LAST_START = Gauge(
    "closewatch_postgresql_break_glass_last_start_timestamp_seconds",
    "When the newest session of a role for emergencies began that closewatch has seen; absent while it saw none.",
    ("member", "role"),
)
SINCE = Gauge(
    "closewatch_postgresql_break_glass_watched_since_timestamp_seconds",
    "Since when closewatch has looked for sessions of roles for emergencies without a restart of its own.",
    ("member",),
)

TOOLS = {
    "psql": "^psql",
    "pgadmin": "pgadmin",
    "dbeaver": "dbeaver|cloudbeaver",
    "other_tool": "datagrip|intellij|pycharm|jetbrains|navicat|tableplus|heidisql|beekeeper|postico|toad|squirrel"
    "|dbvisualizer|dbforge|sql workbench|azure data studio|adminer|phppgadmin|pgcli|usql"
    "|excel|power ?bi|tableau|libreoffice|msaccess",
}
"""How tools that a person sits at call themselves (application_name), without regard to case."""
DUMP = "^pg_(dump|dumpall|restore|basebackup)"
PROGRAMS = (*TOOLS, "dump", "other")
_PROGRAM = " ".join(f"WHEN application_name ~* '{pattern}' THEN '{name}'" for name, pattern in TOOLS.items())

# A role's own sessions are counted by database and program: what the client calls itself doesn't leave the server.
QUERY = Query(f"""
WITH session AS MATERIALIZED (
    SELECT usesysid, datid, backend_type = 'client backend' AS client,
           extract(epoch FROM backend_start)::float8 AS started,
           CASE {_PROGRAM} WHEN application_name ~* '{DUMP}' THEN 'dump' ELSE 'other' END AS program,
           client_addr IS NOT NULL AND NOT (client_addr <<= '127.0.0.0/8' OR client_addr <<= '::1/128'
               OR client_addr <<= '::ffff:127.0.0.0/104') AS remote,
           coalesce(tls.ssl, false) OR coalesce(gss.encrypted, false) AS encrypted
      FROM pg_catalog.pg_stat_activity
      LEFT JOIN pg_catalog.pg_stat_ssl AS tls USING (pid)
      LEFT JOIN pg_catalog.pg_stat_gssapi AS gss USING (pid)
     WHERE backend_type IN ('client backend', 'walsender')
), remote AS (
    SELECT count(*) FILTER (WHERE client AND encrypted) AS client_yes,
           count(*) FILTER (WHERE client AND NOT encrypted) AS client_no,
           count(*) FILTER (WHERE NOT client AND encrypted) AS replication_yes,
           count(*) FILTER (WHERE NOT client AND NOT encrypted) AS replication_no
      FROM session WHERE remote
), who AS (
    SELECT usesysid, datid, program, count(*) AS sessions, max(started) AS newest
      FROM session GROUP BY usesysid, datid, program
), named AS (
    SELECT {as_text("r.rolname")} AS role, {as_text("d.datname")} AS database, program, sessions, newest,
           coalesce(pg_catalog.pg_has_role(r.oid, d.datdba, 'USAGE'), false) AS owner, r.rolsuper AS superuser
      FROM who JOIN pg_catalog.pg_roles AS r ON r.oid = who.usesysid
      LEFT JOIN pg_catalog.pg_database AS d ON d.oid = who.datid
)
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable, remote.*, named.*
  FROM remote LEFT JOIN named ON true
""")  # noqa: S608 - put together from texts of this package


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A row for each role, database and program that has sessions, each with the four counts of remote ones."""
    rows = readable(answer)
    member, settings = answer.member, target.settings
    for purpose in ("client", "replication"):
        for encrypted in ("yes", "no"):
            yield REMOTE(rows[0][f"{purpose}_{encrypted}"], member=member, purpose=purpose, encrypted=encrypted)
    found = [row for row in rows if row["role"] is not None]
    yield from _unexpected(found, settings, member)
    if settings.access.break_glass:
        yield from _break_glass(found, settings.access.break_glass, answer, memory)


def _unexpected(rows: Iterable[Row], settings: PostgresqlTarget, member: str) -> Iterable[Sample]:
    holds_books = books(settings)
    if holds_books is None:
        return
    known = trusted(settings)
    counts: Tally[str] = Tally()
    for row in rows:
        role, database = row["role"], row["database"]
        if database is None or role in settings.access.break_glass or not holds_books(database):
            continue
        expected = role in known or (row["owner"] and may_own(settings, role, superuser=row["superuser"]))
        if not expected or row["program"] in TOOLS:
            counts[row["program"]] += row["sessions"]
    for program in PROGRAMS:
        yield UNEXPECTED(counts[program], member=member, program=program)


def _break_glass(rows: Iterable[Row], roles: Sequence[str], answer: Answer, memory: Memory) -> Iterable[Sample]:
    member = answer.member
    yield SINCE(memory.setdefault(f"since {member}", answer.asked_at), member=member)
    rows = list(rows)
    for role in dict.fromkeys(roles):
        mine = [row for row in rows if row["role"] == role]
        yield BREAK_GLASS(sum(row["sessions"] for row in mine), member=member, role=role)
        key = f"start {member} {role}"
        memory[key] = last = max([row["newest"] for row in mine] + [memory.get(key, 0.0)])
        yield LAST_START(last or None, member=member, role=role)


LOGINS = Collector(
    "logins",
    ask={"main": QUERY},
    read=read,
    families=(REMOTE, UNEXPECTED, BREAK_GLASS, LAST_START, SINCE),
    on=On.EACH,
)
