"""Can the role of one tenant connect to the database of another?

    closewatch_postgresql_books_databases 40
    closewatch_postgresql_books_databases_open 40
    closewatch_postgresql_books_foreign_access{holder="tenant"} 1560
    closewatch_postgresql_books_owners 40

PostgreSQL lets every role connect to every database until CONNECT is revoked from PUBLIC, so this is loud where nobody
has done that. Whoever gets in reads names, sizes and what was granted to PUBLIC, and is one mistake in a grant away
from the books. Counted are pairs of a database with books and a login role that can connect to it without owning it
(by itself or as a member), without being a superuser, and without being listed in `access.allow`: `tenant` where the
role owns another of these databases, `other` else. Where one role owns all of them there are no pairs: the application
alone keeps the tenants apart, and `books_owners` is 1.

Rights: none. Cost: one pass over the databases' grants and the memberships. Source: pg_database, pg_roles,
pg_auth_members.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.canonical import as_text
from closewatch.postgresql.policy import books, may_own, trusted
from closewatch.sources.postgresql.query import Query

DATABASES = Gauge(
    "closewatch_postgresql_books_databases", "Databases with books by the configuration; asked every five minutes."
)
OPEN = Gauge("closewatch_postgresql_books_databases_open", "Databases with books that PUBLIC may connect to.")
OWNERS = Gauge("closewatch_postgresql_books_owners", "Roles that own a database with books.")
OWNER_UNEXPECTED = Gauge(
    "closewatch_postgresql_books_databases_owner_unexpected",
    "Databases with books that a superuser owns, or a role that by the configuration mustn't.",
)
FOREIGN = Gauge(
    "closewatch_postgresql_books_foreign_access",
    "Pairs of a database with books and a login role that can connect to it and doesn't belong there, by holder.",
    ("holder",),
)

# The reader joins databases and groups: a group of a hundred on three hundred databases is 400 rows, not 30,000.
# What comes through another role counts only where it is inherited: nobody can SET ROLE before the login.
SQL = """
WITH RECURSIVE edge AS MATERIALIZED (
    SELECT roleid, member FROM pg_catalog.pg_auth_members AS m {inherited}
), base AS MATERIALIZED (
    SELECT d.oid, d.datname, d.datdba,
           ARRAY(SELECT grantee
                   FROM pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba)))
                  WHERE privilege_type = 'CONNECT') AS grantees
      FROM pg_catalog.pg_database AS d
     WHERE d.datallowconn AND NOT d.datistemplate AND d.datconnlimit <> -2
), held (holder, role) AS (
    SELECT named.oid, named.oid
      FROM (SELECT datdba AS oid FROM base UNION SELECT pg_catalog.unnest(grantees) FROM base) AS named
    UNION
    SELECT held.holder, edge.member FROM held JOIN edge ON edge.roleid = held.role
), able AS MATERIALIZED (
    SELECT oid, rolname FROM pg_catalog.pg_roles WHERE rolcanlogin AND NOT rolsuper
)
SELECT held.holder::bigint AS holder, {role} AS role, NULL::text AS database, NULL::text AS owner,
       NULL::boolean AS owner_super, NULL::text AS grantees
  FROM able LEFT JOIN held ON held.role = able.oid
UNION ALL
SELECT base.datdba::bigint, NULL, {database}, {owner}, owner.rolsuper,
       pg_catalog.array_to_string(base.grantees, ',')
  FROM base JOIN pg_catalog.pg_roles AS owner ON owner.oid = base.datdba
"""


def _sql(inherited: str) -> str:
    return SQL.format(
        inherited=inherited,
        database=as_text("base.datname"),
        owner=as_text("owner.rolname"),
        role=as_text("able.rolname"),
    )


QUERIES = (
    Query(_sql("WHERE m.inherit_option"), since=160_000),
    Query(_sql("JOIN pg_catalog.pg_roles AS heir ON heir.oid = m.member AND heir.rolinherit")),
)
PUBLIC = 0


@dataclass(frozen=True, slots=True)
class _Database:
    """A database with books: who owns it, and who was granted CONNECT, by the numbers of roles."""

    holder: int
    owner: str
    owner_super: bool
    grantees: frozenset[int]


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Rows of a role that can log in and a role that it is or inherits from, if any; and rows of a database."""
    settings = target.settings
    holds_books = books(settings)
    if holds_books is None:
        return
    everybody: set[str] = set()
    members: defaultdict[int, set[str]] = defaultdict(set)
    found: list[_Database] = []
    for row in answer.rows():
        if row["database"] is None:
            everybody.add(row["role"])
            if row["holder"] is not None:
                members[row["holder"]].add(row["role"])
        elif holds_books(row["database"]):
            grantees = frozenset(int(number) for number in row["grantees"].split(",") if number)
            found.append(_Database(row["holder"], row["owner"], row["owner_super"], grantees))
    known = trusted(settings)
    tenants = {role for one in found if not one.owner_super for role in members[one.holder]} - known
    others = everybody - tenants - known
    yield DATABASES(len(found))
    yield OPEN(sum(PUBLIC in one.grantees for one in found))
    yield OWNERS(len({one.holder for one in found}))
    yield OWNER_UNEXPECTED(sum(not may_own(settings, one.owner, superuser=one.owner_super) for one in found))
    for holder, strangers in (("tenant", tenants), ("other", others)):
        yield FOREIGN(sum(_foreign(one, strangers, members) for one in found), holder=holder)


def _foreign(database: _Database, strangers: AbstractSet[str], members: Mapping[int, AbstractSet[str]]) -> int:
    """How many of these roles can connect to the database and don't belong to its owner."""
    kin = members.get(database.holder, frozenset())
    if PUBLIC in database.grantees:
        return len(strangers) - len(kin & strangers)
    able: set[str] = set().union(*(members.get(grantee, ()) for grantee in database.grantees))
    return len((able & strangers) - kin)


ISOLATION = Collector(
    "isolation",
    ask={"main": QUERIES},
    read=read,
    families=(DATABASES, OPEN, OWNERS, OWNER_UNEXPECTED, FOREIGN),
    every=300.0,
    budget=0.8,
)
