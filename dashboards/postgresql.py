"""PostgreSQL: does it answer, is there room to connect, does anything block, grow old or grow large?"""

from __future__ import annotations

from dashboards import replication
from dashboards.limits import limits
from dashboards.measures import NAME, Measures, line_per_target
from dashboards.parts import ORANGE, TARGET, Column, Limits, Panel, chart, query

PG = Measures("postgresql", "closewatch_postgresql_info", "@server")
LIMIT = 2**31  # transaction ids: at this age PostgreSQL would lose data, and stops accepting writes before


def used() -> str:
    """Connections of ordinary users against what ordinary users can get."""
    present, most = PG.worst("closewatch_postgresql_connections", "state"), "closewatch_postgresql_connections_max"
    return f"sum by ({TARGET}) ({present}) / {PG.worst(most)}"


def wraparound() -> str:
    """The worst age of transaction and multixact ids, as a share of what there is."""
    transactions, multixacts = (
        PG.worst("closewatch_postgresql_xid_age_transactions"),
        PG.worst("closewatch_postgresql_multixact_age_transactions"),
    )
    return f"({transactions} >= {multixacts} or {multixacts}) / {LIMIT}"


def panels() -> list[Panel]:
    """A line a cluster, then replication and WAL, sessions, age and growth."""
    return [_clusters(), *replication.panels(PG), *_sessions(), *_waits(), *_age(), *_growth()]


def _colours(check: str, per: float = 1) -> tuple[tuple[float, str], ...]:
    return limits(check).per(per).steps


def _columns() -> list[tuple[str, Column]]:
    """The figures of a cluster, what hurts most first."""
    lag = PG.worst("closewatch_postgresql_replication_lag_seconds", "standby")
    waiting = PG.age("closewatch_postgresql_wal_archive_oldest_waiting_timestamp_seconds")
    start = "closewatch_postgresql_oldest_transaction_start_timestamp_seconds"
    size = PG.worst("closewatch_postgresql_database_size_bytes", "database")
    late = _colours("postgresql_replication_lag_seconds")
    unarchived = _colours("postgresql_wal_archive_waiting_seconds")
    full = _colours("postgresql_connections_used_ratio")
    blocked = _colours("postgresql_blocked_sessions")
    long = _colours("postgresql_transaction_open_seconds")
    old = _colours("postgresql_xid_age_transactions", LIMIT)
    return [
        (
            PG.worst("closewatch_postgresql_members", matchers='role="unreachable"'),
            Column("", "Members away", steps=((1, ORANGE),), width=110),
        ),
        (replication.standbys_missing(PG), Column("", "Standbys missing", steps=((1, ORANGE),), width=130)),
        (f"max by ({TARGET}) ({lag})", Column("", "Replication lag", unit="s", steps=late, width=120)),
        (waiting, Column("", "WAL waiting for", unit="s", steps=unarchived, width=125)),
        (used(), Column("", "Connections", unit="percentunit", steps=full, width=105)),
        (PG.worst("closewatch_postgresql_blocked_sessions"), Column("", "Blocked", steps=blocked, width=80)),
        (
            PG.age(start, matchers='activity="ordinary"'),
            Column("", "Oldest transaction", unit="s", steps=long, width=140),
        ),
        (wraparound(), Column("", "Ids used", unit="percentunit", steps=old, width=85)),
        (f"sum by ({TARGET}) ({size})", Column("", "Size", unit="bytes", width=90)),
    ]


def _clusters() -> Panel:
    return line_per_target(
        "Clusters",
        "A line a cluster, coloured where something needs a look. Empty: not measured, or not applicable there.",
        PG,
        _columns(),
        noun="Cluster",
        none="No PostgreSQL cluster is watched here.",
    )


def _sessions() -> list[Panel]:
    return [
        chart(
            "Connections used",
            "Share of what ordinary users can get, and of the nearest limit of a role or database.",
            "percentunit",
            [
                query(used(), NAME),
                query(
                    PG.worst("closewatch_postgresql_connection_limit_used_ratio"), NAME + " nearest own limit", ref="B"
                ),
            ],
            limits=limits("postgresql_connections_used_ratio"),
            top=1,
        ),
        chart(
            "Connections by state",
            "What the connections do. Idle in transaction holds locks and keeps old rows.",
            "none",
            [query(f"sum by (state) ({PG.worst('closewatch_postgresql_connections', 'state')})", "{{state}}")],
            stacked=True,
        ),
        chart(
            "Transactions",
            "Committed and rolled back, a second.",
            "cps",
            [
                query(PG.rate("closewatch_postgresql_commits_total"), NAME + " committed"),
                query(PG.rate("closewatch_postgresql_rollbacks_total"), NAME + " rolled back", ref="B"),
            ],
        ),
    ]


def _waits() -> list[Panel]:
    return [
        chart(
            "Blocked sessions",
            "Sessions that wait for a lock, and those at the root that others wait for.",
            "none",
            [
                query(PG.worst("closewatch_postgresql_blocked_sessions"), NAME + " blocked"),
                query(PG.worst("closewatch_postgresql_blocking_sessions"), NAME + " blocking", ref="B"),
            ],
            limits=limits("postgresql_blocked_sessions"),
        ),
        chart(
            "Longest wait for a lock",
            "How long the session that waits longest has waited.",
            "s",
            [query(PG.age("closewatch_postgresql_blocked_oldest_start_timestamp_seconds"), NAME)],
            none="Nobody waits for a lock.",
            limits=limits("postgresql_blocked_seconds"),
        ),
        chart(
            "Deadlocks",
            "Per minute. One of the sessions is always ended, and Odoo tries its work again.",
            "cpm",
            [query(f"60 * {PG.rate('closewatch_postgresql_deadlocks_total')}", NAME)],
        ),
    ]


def _age() -> list[Panel]:
    idle = PG.age("closewatch_postgresql_oldest_idle_in_transaction_start_timestamp_seconds")
    return [
        chart(
            "Oldest transaction",
            "How long the oldest has been open: ordinary work, maintenance (dumps, vacuum), idle, prepared.",
            "s",
            [
                query(
                    PG.age("closewatch_postgresql_oldest_transaction_start_timestamp_seconds", "activity"),
                    NAME + " {{activity}}",
                ),
                query(idle, NAME + " idle in transaction", ref="B"),
                query(PG.age("closewatch_postgresql_oldest_prepared_timestamp_seconds"), NAME + " prepared", ref="C"),
            ],
            none="No transaction is open.",
            limits=limits("postgresql_transaction_open_seconds")
            | Limits(alerts=("PostgresqlPreparedTransactionForgotten",)),
        ),
        chart(
            "What keeps old rows",
            "Transactions begun since the oldest that something may still look at. Vacuum can't remove what is newer.",
            "short",
            [query(PG.worst("closewatch_postgresql_xmin_horizon_age_transactions", "holder"), NAME + " {{holder}}")],
            none="Nothing holds old rows.",
            limits=limits("postgresql_xmin_horizon_age_transactions"),
        ),
        chart(
            "Transaction ids used",
            "Share of all ids by the oldest database, and where a freeze is forced. At 1 writing stops.",
            "percentunit",
            [
                query(f"{PG.worst('closewatch_postgresql_xid_age_transactions')} / {LIMIT}", NAME),
                query(
                    f"{PG.worst('closewatch_postgresql_multixact_age_transactions')} / {LIMIT}",
                    NAME + " multixact",
                    ref="B",
                ),
                query(
                    f"{PG.worst('closewatch_postgresql_freeze_max_age_transactions')} / {LIMIT}",
                    NAME + " forced freeze",
                    ref="C",
                ),
            ],
            limits=limits("postgresql_xid_age_transactions").per(LIMIT),
        ),
    ]


def _growth() -> list[Panel]:
    return [
        chart(
            "Largest databases",
            "The ten largest of what is chosen, measured every five minutes.",
            "bytes",
            [
                query(
                    f"topk(10, {PG.worst('closewatch_postgresql_database_size_bytes', 'database')})",
                    NAME + " {{database}}",
                )
            ],
        ),
        chart(
            "Checkpoints",
            "Per minute. Requested ones in number mean that max_wal_size is too small for the load.",
            "cpm",
            [query(f"60 * {PG.rate('closewatch_postgresql_checkpoints_total', 'kind')}", NAME + " {{kind}}")],
        ),
        chart(
            "Time spent in checkpoints",
            "Share of the time spent writing and syncing. Long syncs are a slow disk, and everyone waits for it.",
            "percentunit",
            [
                query(PG.rate("closewatch_postgresql_checkpoint_write_seconds_total"), NAME + " write"),
                query(PG.rate("closewatch_postgresql_checkpoint_sync_seconds_total"), NAME + " sync", ref="B"),
            ],
        ),
    ]
