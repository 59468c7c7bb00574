"""Access to PostgreSQL: who may do what, who is in the books past Odoo, and what has been changed?"""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME, Measures, line_per_target
from dashboards.parts import ORANGE, RED, TARGET, YELLOW, Column, Limits, Panel, chart, query

PG = Measures("postgresql", "closewatch_postgresql_info", "@server")
SOME = ((1, ORANGE),)
NO_BOOKS = "Which databases hold books isn't configured (discover, or access.books)."
UNREAD = "No watched server lets closewatch read its pg_hba.conf."


def panels() -> list[Panel]:
    """A line a cluster, then roles and changes, the ways in, who is in, settings, and tenants."""
    return [_clusters(), *_changes(), *_ways_in(), *_inside(), *_settings()]


def _all(metric: str, *labels: str, matchers: str = "") -> str:
    """The sum over labels: by target."""
    return f"sum by ({TARGET}) ({PG.worst(metric, *labels, matchers=matchers)})"


def _changed(metric: str, *labels: str) -> str:
    """Changes of a fingerprint within the span of its alert."""
    key = ", ".join((TARGET, *labels))
    return f"max by ({key}) (changes({metric}{{{PG.scope}}}[4h]))"


def _clusters() -> Panel:
    risky, unsafe = "closewatch_postgresql_access_rules_risky", "closewatch_postgresql_setting_unsafe"
    foreign, sessions = "closewatch_postgresql_books_foreign_access", "closewatch_postgresql_unexpected_sessions"
    return line_per_target(
        "Access",
        "A line a cluster. Empty: not readable, or not configured. One line of pg_hba.conf may have several risks.",
        PG,
        [
            (
                PG.worst("closewatch_postgresql_privileged_roles", matchers='privilege="superuser"'),
                Column("", "Superusers"),
            ),
            (_all(risky, "risk", matchers='risk="trust"'), Column("", "Trusted networks", steps=((1, RED),))),
            (_all(risky, "risk"), Column("", "Risks in pg_hba", steps=((1, YELLOW),))),
            (
                _all("closewatch_postgresql_remote_sessions", "member", "purpose", matchers='encrypted="no"'),
                Column("", "Plain sessions", steps=SOME),
            ),
            (_all(sessions, "member", "program"), Column("", "Unexpected sessions", steps=SOME)),
            (_all("closewatch_postgresql_break_glass_sessions", "member", "role"), Column("", "Emergency", steps=SOME)),
            (_all(unsafe, "setting"), Column("", "Unsafe settings", steps=((1, YELLOW),))),
            (PG.worst(foreign, matchers='holder="tenant"'), Column("", "Tenants crossing", steps=SOME)),
        ],
        noun="Cluster",
        none="No PostgreSQL cluster is watched here.",
    )


def _changes() -> list[Panel]:
    return [
        chart(
            "Privileged roles",
            "Roles that can log in and have the privilege, by themselves or through others.",
            "none",
            [
                query(PG.worst("closewatch_postgresql_privileged_roles", "privilege"), NAME + " {{privilege}}"),
                query(PG.worst("closewatch_postgresql_roles_without_expiry"), NAME + " without expiry", ref="B"),
            ],
            limits=Limits(alerts=("PostgresqlPrivilegedRolesChanged",)),
        ),
        chart(
            "Changes of access",
            "Changes within the four hours before: of privileged roles, of pg_hba.conf and of settings.",
            "none",
            [
                query(_changed("closewatch_postgresql_privileged_roles_fingerprint"), NAME + " roles"),
                query(
                    _changed("closewatch_postgresql_access_rules_fingerprint", "member"),
                    NAME + " pg_hba.conf {{member}}",
                    ref="B",
                ),
                query(
                    _changed("closewatch_postgresql_settings_fingerprint", "member"),
                    NAME + " settings {{member}}",
                    ref="C",
                ),
            ],
            limits=Limits(SOME, ("PostgresqlPrivilegedRolesChanged", "PostgresqlAccessRulesChanged")),
        ),
        chart(
            "Changed and not in effect",
            "Settings that wait for a restart, errors in configuration files, and a pg_hba.conf that isn't loaded.",
            "none",
            [
                query(
                    PG.worst("closewatch_postgresql_settings_pending_restart", "member"), NAME + " restart {{member}}"
                ),
                query(
                    PG.worst("closewatch_postgresql_config_file_errors", "member"), NAME + " errors {{member}}", ref="B"
                ),
                query(
                    PG.worst("closewatch_postgresql_access_rules_pending", "member"),
                    NAME + " pg_hba.conf {{member}}",
                    ref="C",
                ),
            ],
        ),
    ]


def _ways_in() -> list[Panel]:
    return [
        chart(
            "Risky lines of pg_hba.conf",
            "By what is wrong with them, of the worst member. Trust lets other machines in without a password.",
            "none",
            [query(PG.worst("closewatch_postgresql_access_rules_risky", "risk"), NAME + " {{risk}}")],
            limits=Limits(alerts=("PostgresqlRiskyAccessRule", "PostgresqlAccessRulesChanged")),
            none=UNREAD,
        ),
        chart(
            "Lines of pg_hba.conf",
            "All lines of each member, of included files too.",
            "none",
            [query(PG.worst("closewatch_postgresql_access_rules", "member"), NAME + " {{member}}")],
            limits=Limits(alerts=("PostgresqlAccessRulesChanged",)),
            none=UNREAD,
        ),
        chart(
            "Sessions from other machines",
            "With and without encryption; replication is among them. Loopback and Unix sockets aren't counted.",
            "none",
            [
                query(
                    f"sum by ({TARGET}, encrypted) ("
                    + PG.worst("closewatch_postgresql_remote_sessions", "member", "purpose", "encrypted")
                    + ")",
                    NAME + " encrypted: {{encrypted}}",
                )
            ],
            limits=Limits(alerts=("PostgresqlUnencryptedSessions",)),
        ),
    ]


def _inside() -> list[Panel]:
    since = "closewatch_postgresql_break_glass_watched_since_timestamp_seconds"
    return [
        chart(
            "Unexpected sessions in the books",
            "Of roles that nobody listed, and of tools that a person sits at, by what the client calls itself.",
            "none",
            [
                query(
                    f"sum by ({TARGET}, program) ("
                    + PG.worst("closewatch_postgresql_unexpected_sessions", "member", "program")
                    + ")",
                    NAME + " {{program}}",
                )
            ],
            limits=limits("postgresql_unexpected_sessions"),
            none=NO_BOOKS,
        ),
        chart(
            "Sessions of emergency roles",
            "Sessions of the roles that are kept for emergencies, now.",
            "none",
            [
                query(
                    PG.worst("closewatch_postgresql_break_glass_sessions", "member", "role"),
                    NAME + " {{role}} {{member}}",
                )
            ],
            limits=Limits(SOME, ("PostgresqlBreakGlassUsed",)),
            none="No emergency role is configured (access.break_glass).",
        ),
        chart(
            "Emergency roles: last use",
            "Time since the newest session began, and since closewatch looks: PostgreSQL keeps no last login.",
            "s",
            [
                query(
                    PG.age("closewatch_postgresql_break_glass_last_start_timestamp_seconds", "role"), NAME + " {{role}}"
                ),
                query(PG.age(since), NAME + " looking", ref="B"),
            ],
            limits=Limits(alerts=("PostgresqlBreakGlassUsed",)),
            none="No emergency role is configured (access.break_glass).",
        ),
    ]


def _settings() -> list[Panel]:
    return [
        chart(
            "Settings that risk data or access",
            "1 where a member, or a role or database of it, has an unsafe value. What was accepted isn't shown.",
            "none",
            [query(PG.worst("closewatch_postgresql_setting_unsafe", "setting"), NAME + " {{setting}}")],
            limits=Limits(alerts=("PostgresqlDurabilityOff",)),
            top=1,
        ),
        chart(
            "Roles in databases of others",
            "Pairs of a database with books and a role that can connect to it and doesn't belong there.",
            "none",
            [query(PG.worst("closewatch_postgresql_books_foreign_access", "holder"), NAME + " {{holder}}")],
            limits=limits("postgresql_foreign_access_pairs"),
            none=NO_BOOKS,
        ),
        chart(
            "Databases with books",
            "All of them, those open to anybody, those with an unexpected owner, and how many owners there are.",
            "none",
            [
                query(PG.worst("closewatch_postgresql_books_databases"), NAME + " all"),
                query(PG.worst("closewatch_postgresql_books_databases_open"), NAME + " open to PUBLIC", ref="B"),
                query(
                    PG.worst("closewatch_postgresql_books_databases_owner_unexpected"),
                    NAME + " unexpected owner",
                    ref="C",
                ),
                query(PG.worst("closewatch_postgresql_books_owners"), NAME + " owners", ref="D"),
            ],
            limits=Limits(alerts=("PostgresqlTenantsNotIsolated",)),
            none=NO_BOOKS,
        ),
    ]
