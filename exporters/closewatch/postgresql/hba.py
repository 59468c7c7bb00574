"""Does pg_hba.conf let in somebody without a password, or in plain text; and has it been changed?

    closewatch_postgresql_access_rules{member="10.0.0.1:5432"} 12
    closewatch_postgresql_access_rules_risky{member="10.0.0.1:5432",risk="trust"} 0
    closewatch_postgresql_access_rules_fingerprint{member="10.0.0.1:5432"} 1.2e+14
    closewatch_postgresql_access_rules_pending{member="10.0.0.1:5432"} 0

The server shows the file as it is now, not what it has loaded, so a change is told of before it takes effect. It is
pending when the file differs from what closewatch saw first since the server last loaded its configuration. Each
member has a file of its own and carries `member`. Which risks there are is said in `hbarisks`.

Rights: EXECUTE on pg_hba_file_rules(), which grants.sql gives where it can; else the collector is unavailable
(permission), or, with `access.hba: false`, silent. What may be a password in a line (of LDAP, RADIUS) stays on the
server: asked is whether there is one, and a hash of the options. Cost: one reading of the file. Source:
pg_hba_file_rules(), pg_conf_load_time().
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from closewatch.core.collectors import Answer, Collector, Memory, On, Reason, Unavailable
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.canonical import as_text, fingerprint
from closewatch.postgresql.hbarisks import RISKS, Line, risks
from closewatch.sources.postgresql.query import Query

LINES = Gauge("closewatch_postgresql_access_rules", "Lines of pg_hba.conf, of its included files too.", ("member",))
RISKY = Gauge(
    "closewatch_postgresql_access_rules_risky",
    "Lines of pg_hba.conf by what is wrong with them; one line may count for several risks.",
    ("member", "risk"),
)
FINGERPRINT = Gauge(
    "closewatch_postgresql_access_rules_fingerprint",
    "A number that changes when what pg_hba.conf says does; comments don't count.",
    ("member",),
)
PENDING = Gauge(
    "closewatch_postgresql_access_rules_pending",
    "Whether pg_hba.conf was changed, as far as closewatch saw, and not loaded since (1).",
    ("member",),
)

# A line for TLS has an error where TLS is off, and is read nevertheless; of one that can't be read there is no more.
QUERY = Query(
    f"""
SELECT extract(epoch FROM pg_catalog.pg_conf_load_time())::float8 AS loaded, line.type AS type,
       {as_text("pg_catalog.array_to_string(line.database, ',')")} AS databases,
       {as_text("pg_catalog.array_to_string(line.user_name, ',')")} AS users,
       line.address AS address, line.netmask AS netmask, line.auth_method AS method,
       line.error IS NOT NULL AND line.type IS NULL AS invalid,
       pg_catalog.hashtextextended(pg_catalog.array_to_string(line.options, ','), 0)::text AS options,
       EXISTS (SELECT FROM pg_catalog.unnest(line.options) AS one
                WHERE one LIKE 'clientcert=verify-%' OR one = 'clientcert=1') AS certificate,
       EXISTS (SELECT FROM pg_catalog.unnest(line.options) AS one
                WHERE one LIKE 'ldapbindpasswd=%' OR one LIKE 'radiussecret%') AS secret
  FROM (SELECT) AS always LEFT JOIN pg_catalog.pg_hba_file_rules() WITH ORDINALITY AS line ON true
 ORDER BY line.ordinality
""",  # noqa: S608 - put together from texts of this package
    optional=True,
)


class _Seen(NamedTuple):
    loaded: float
    fingerprint: float


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One row a line in the file's order; one row without a line where it has none."""
    if "main" not in answer:
        if target.settings.access.hba:
            raise Unavailable(Reason.PERMISSION, "EXECUTE on pg_hba_file_rules() is not granted")
        return
    member, rows = answer.member, answer.rows()
    lines = [Line.of(row) for row in rows if row["type"] is not None or row["invalid"]]
    counts = risks(lines)
    yield LINES(len(lines), member=member)
    for risk in RISKS:
        yield RISKY(counts[risk], member=member, risk=risk)
    now = fingerprint(line.facts for line in lines)
    yield FINGERPRINT(now, member=member)
    loaded = rows[0]["loaded"]
    before: _Seen | None = memory.get(member)
    if before is None or before.loaded != loaded:
        memory[member] = before = _Seen(loaded, now)
    yield PENDING(before.fingerprint != now, member=member)


HBA = Collector(
    "hba",
    ask={"main": QUERY},
    read=read,
    families=(LINES, RISKY, FINGERPRINT, PENDING),
    on=On.EACH,
    every=300.0,
    budget=0.5,
)
