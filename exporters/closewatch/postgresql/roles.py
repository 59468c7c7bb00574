"""Who may do more on this server than use their own tables, and has that changed?

    closewatch_postgresql_privileged_roles{privilege="superuser"} 2
    closewatch_postgresql_privileged_roles_fingerprint 1.66e+14
    closewatch_postgresql_roles_without_expiry 3

A role counts where it can log in and has the privilege, by itself or through roles that it is a member of, however far
away. What an attribute gives (superuser, createrole ...) is not inherited but taken by SET ROLE; what a predefined
role gives is either. From 16 on a membership says which of these it allows, or that it may be granted on (admin),
which gives both. The administrator of a managed server (rds_superuser, cloudsqlsuperuser ...) is no superuser, and
counts as `provider_admin`. Before 16 createrole is close to superuser.

The fingerprint is of all roles with a privilege, with what they have and whether they can log in: it changes with each
of these facts and with nothing else, neither with a new tenant's role nor at a failover. It shows no password: that
needs a superuser, so whether one is kept as MD5 is not claimed.

Rights: none. Cost: one pass over the roles and their memberships. Source: pg_roles, pg_auth_members.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.canonical import as_text, fingerprint
from closewatch.sources.postgresql.query import Query

PRIVILEGED = Gauge(
    "closewatch_postgresql_privileged_roles",
    "Roles that can log in and have the privilege, by themselves or through others; asked every five minutes.",
    ("privilege",),
)
FINGERPRINT = Gauge(
    "closewatch_postgresql_privileged_roles_fingerprint",
    "A number that changes when any role gains or loses a privilege or, having one, the right to log in.",
)
WITHOUT_EXPIRY = Gauge(
    "closewatch_postgresql_roles_without_expiry",
    "Login roles that by the configuration must expire and have no VALID UNTIL; absent where none must.",
)

ATTRIBUTES = {
    "superuser": "rolsuper",
    "createrole": "rolcreaterole",
    "createdb": "rolcreatedb",
    "replication": "rolreplication",
    "bypassrls": "rolbypassrls",
}
PREDEFINED = {
    "pg_execute_server_program": "server_program",
    "pg_read_server_files": "server_files",
    "pg_write_server_files": "server_files",
    "pg_read_all_data": "read_all_data",
    "pg_write_all_data": "write_all_data",
    "pg_maintain": "maintain",
    "pg_create_subscription": "create_subscription",
    "rds_superuser": "provider_admin",
    "rds_replication": "replication",
    "cloudsqlsuperuser": "provider_admin",
    "alloydbsuperuser": "provider_admin",
    "azure_pg_admin": "provider_admin",
}
PRIVILEGES = tuple(dict.fromkeys([*ATTRIBUTES, *PREDEFINED.values()]))

SQL = """
WITH RECURSIVE edge AS (
    SELECT roleid, member, {settable} AS settable FROM pg_catalog.pg_auth_members WHERE {usable}
), held (role, privilege, by_set) AS (
    SELECT r.oid, own.privilege, true
      FROM pg_catalog.pg_roles AS r
     CROSS JOIN LATERAL (VALUES {attributes}) AS own (privilege, has)
     WHERE own.has
    UNION
    SELECT r.oid, given.privilege, false
      FROM pg_catalog.pg_roles AS r JOIN (VALUES {predefined}) AS given (name, privilege) ON given.name = r.rolname
    UNION
    SELECT edge.member, held.privilege, held.by_set
      FROM held JOIN edge ON edge.roleid = held.role AND (edge.settable OR NOT held.by_set)
)
SELECT {name} AS role, r.rolcanlogin AS login,
       coalesce(r.rolvaliduntil < 'infinity', false) AS expires,
       coalesce(pg_catalog.string_agg(DISTINCT held.privilege, ','), '') AS privileges
  FROM pg_catalog.pg_roles AS r LEFT JOIN held ON held.role = r.oid
 WHERE r.rolname NOT LIKE 'pg\\_%'
 GROUP BY r.oid, r.rolname, r.rolcanlogin, r.rolvaliduntil
HAVING count(held.privilege) > 0 OR r.rolcanlogin AND NOT coalesce(r.rolvaliduntil < 'infinity', false)
"""


def _sql(usable: str, settable: str) -> str:
    return SQL.format(
        usable=usable,
        settable=settable,
        name=as_text("r.rolname"),
        attributes=", ".join(f"('{privilege}', r.{column})" for privilege, column in ATTRIBUTES.items()),
        predefined=", ".join(f"('{name}', '{privilege}')" for name, privilege in PREDEFINED.items()),
    )


QUERIES = (
    Query(_sql("inherit_option OR set_option OR admin_option", "set_option OR admin_option"), since=160_000),
    # Before, whoever is a member can take all that the role has, by SET ROLE where not by inheritance.
    Query(_sql("true", "true")),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One row a role that has a privilege, or that can log in for ever."""
    access = target.settings.access
    counts: Tally[str] = Tally(dict.fromkeys(PRIVILEGES, 0))
    facts: list[tuple[str, bool, str]] = []
    unlimited = 0
    for row in answer.rows():
        privileges = sorted(row["privileges"].split(",")) if row["privileges"] else []
        if row["login"]:
            counts.update(privileges)
        if privileges and not (access.temporary and re.fullmatch(access.temporary, row["role"])):
            facts.append((row["role"], row["login"], ",".join(privileges)))
        if access.expire and row["login"] and not row["expires"] and re.fullmatch(access.expire, row["role"]):
            unlimited += 1
    for privilege in PRIVILEGES:
        yield PRIVILEGED(counts[privilege], privilege=privilege)
    yield FINGERPRINT(fingerprint(sorted(facts)))
    yield WITHOUT_EXPIRY(unlimited if access.expire else None)


ROLES = Collector(
    "roles",
    ask={"main": QUERIES},
    read=read,
    families=(PRIVILEGED, FINGERPRINT, WITHOUT_EXPIRY),
    every=300.0,
    budget=0.5,
)
