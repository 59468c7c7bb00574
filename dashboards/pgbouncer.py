"""PgBouncer: who waits for a connection to the server, how full is it, and what was left open or paused?"""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME, Measures, line_per_target
from dashboards.parts import ORANGE, RED, Column, Limits, Panel, chart, query

POOLER = Measures("pgbouncer", "closewatch_pgbouncer_info", "@server")
POOL = ("database", "user")
WAIT = "closewatch_pgbouncer_pool_longest_wait_seconds"


def used() -> str:
    """Clients against what PgBouncer accepts."""
    return f"{POOLER.worst('closewatch_pgbouncer_clients')} / {POOLER.worst('closewatch_pgbouncer_clients_max')}"


def panels() -> list[Panel]:
    """A line a pooler, then waiting, clients and server connections."""
    return [_poolers(), *_pools()]


def _poolers() -> Panel:
    waits, full = limits("pgbouncer_wait_seconds").steps, limits("pgbouncer_clients_used_ratio").steps
    waiting = POOLER.worst("closewatch_pgbouncer_pool_clients", *POOL, matchers='state="waiting"')
    by = "environment, cell, tenant, target"
    return line_per_target(
        "PgBouncers",
        "A line a PgBouncer, coloured where something needs a look. Exposed: logins without a password, or traffic that"
        " leaves the host without TLS being required.",
        POOLER,
        [
            (f"max by ({by}) ({POOLER.worst(WAIT)})", Column("", "Longest wait", unit="s", steps=waits, width=110)),
            (f"sum by ({by}) ({waiting})", Column("", "Waiting", steps=((1, ORANGE),), width=80)),
            (used(), Column("", "Clients", unit="percentunit", steps=full, width=80)),
            (
                POOLER.worst("closewatch_pgbouncer_paused_databases"),
                Column("", "Paused", steps=((1, ORANGE),), width=80),
            ),
            (
                POOLER.worst("closewatch_pgbouncer_disabled_databases"),
                Column("", "Disabled", steps=((1, ORANGE),), width=80),
            ),
            (
                f"sum by ({by}) ({POOLER.worst('closewatch_pgbouncer_exposed', 'exposure')})",
                Column("", "Exposed", steps=((1, RED),), width=80),
            ),
        ],
        noun="PgBouncer",
        none="No PgBouncer is watched here.",
    )


def _pools() -> list[Panel]:
    name = NAME + " {{database}} {{user}}"
    size = POOLER.worst("closewatch_pgbouncer_pool_size", *POOL)
    servers = POOLER.worst("closewatch_pgbouncer_pool_servers", *POOL, "state")
    by = "environment, cell, tenant, target, database, user"
    return [
        chart(
            "Longest wait for a server connection",
            "How long the client that waits longest has waited, by pool; 0 where nobody waits.",
            "s",
            [query(POOLER.worst(WAIT, *POOL), name)],
            limits=limits("pgbouncer_wait_seconds") | Limits(alerts=("PgbouncerPaused",)),
        ),
        chart(
            "Pools used",
            "Connections to the server against the pool's size. At 100 % the next client waits.",
            "percentunit",
            [query(f"sum by ({by}) ({servers}) / {size}", name)],
            top=1,
        ),
        chart(
            "Clients of PgBouncer",
            "Clients that are connected, against what it accepts. At 100 % new ones are refused.",
            "percentunit",
            [query(used(), NAME)],
            limits=limits("pgbouncer_clients_used_ratio") | Limits(alerts=("PgbouncerDown",)),
            top=1,
        ),
        chart(
            "Server connections by state",
            "What the connections to the servers do. Many that log in, and none active: the server refuses or hangs.",
            "none",
            [query(f"sum by (state) ({servers})", "{{state}}")],
            stacked=True,
        ),
    ]
