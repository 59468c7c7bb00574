"""Who waits for a connection to the server, and for how long?

    closewatch_pgbouncer_pool_clients{database="odoo_acme",user="odoo",state="waiting"} 7
    closewatch_pgbouncer_pool_servers{database="odoo_acme",user="odoo",state="active"} 20
    closewatch_pgbouncer_pool_longest_wait_seconds{database="odoo_acme",user="odoo"} 3.2
    closewatch_pgbouncer_pool_size{database="odoo_acme",user="odoo"} 20

A pool is a database and a user. Those with most clients waiting are shown, then the largest, 20 in all; one that is
shown stays until it falls behind the 40th, so that series don't come and go. The rest is summed up as `other`. Names
are the operator's or, where PgBouncer makes pools by itself, whatever a client asks for: hence the cap.

Rights: stats_users. Cost: memory only. Source: SHOW POOLS, SHOW DATABASES.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from closewatch.core.collectors import Answer, Collector, Memory, Row
from closewatch.core.families import Gauge, Sample
from closewatch.core.labels import clean
from closewatch.core.targets import Target
from closewatch.pgbouncer.words import CONSOLE, number
from closewatch.sources.postgresql.show import Show

CLIENTS = Gauge(
    "closewatch_pgbouncer_pool_clients",
    "Clients of a pool: with a server connection or none needed (active), or waiting for one.",
    ("database", "user", "state"),
)
SERVERS = Gauge(
    "closewatch_pgbouncer_pool_servers",
    "Connections of a pool to its server, by what they do.",
    ("database", "user", "state"),
)
WAIT = Gauge(
    "closewatch_pgbouncer_pool_longest_wait_seconds",
    "How long the client that waits longest in a pool has waited; 0 where nobody waits.",
    ("database", "user"),
)
SIZE = Gauge(
    "closewatch_pgbouncer_pool_size",
    "Connections to its server that a pool may have, reserve left out.",
    ("database", "user"),
)

SHOWN = 20
KEPT = 2 * SHOWN
OTHER = ("other", "other")
CLIENT_STATES = ("active", "waiting")
# What 1.18 and later count apart, canceled ones, are active ones to whoever counts connections.
SERVER_STATES: Mapping[str, tuple[str, ...]] = {
    "active": ("sv_active", "sv_active_cancel", "sv_being_canceled"),
    "idle": ("sv_idle",),
    "used": ("sv_used",),
    "tested": ("sv_tested",),
    "login": ("sv_login",),
}


@dataclass(slots=True)
class Pool:
    """What is counted of one pool, or of several."""

    clients: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CLIENT_STATES, 0.0))
    servers: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SERVER_STATES, 0.0))
    wait: float = 0.0

    def add(self, row: Row) -> None:
        """Count a row of SHOW POOLS."""
        for state in CLIENT_STATES:
            self.clients[state] += number(row.get(f"cl_{state}")) or 0
        for state, columns in SERVER_STATES.items():
            self.servers[state] += sum(number(row.get(column)) or 0 for column in columns)
        wait = (number(row.get("maxwait")) or 0) + (number(row.get("maxwait_us")) or 0) / 1e6
        self.wait = max(self.wait, wait)

    @property
    def rank(self) -> tuple[float, float]:
        """The highest is shown first."""
        return self.clients["waiting"], sum(self.servers.values()) + self.clients["active"]


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A row a pool: figures by its state, the longest wait, and the pool's size by its database."""
    rows = [row for row in answer.rows() if row["database"] != CONSOLE]
    ranked: dict[tuple[str, str], Pool] = {}
    for row in rows:
        ranked.setdefault(_key(row), Pool()).add(row)
    shown = _shown(ranked, memory)
    sizes = {clean(str(row["name"])): number(row["pool_size"]) for row in answer.rows("databases")}
    for key in sorted(shown):
        yield from _samples(key, ranked[key])
        yield SIZE(sizes.get(key[0]), database=key[0], user=key[1])
    if len(shown) < len(ranked):
        rest = Pool()
        for row in rows:
            if _key(row) not in shown:
                rest.add(row)
        yield from _samples(OTHER, rest)


def _key(row: Row) -> tuple[str, str]:
    key = clean(str(row["database"])), clean(str(row["user"]))
    return (f"{OTHER[0]}_", OTHER[1]) if key == OTHER else key


def _shown(ranked: Mapping[tuple[str, str], Pool], memory: Memory) -> frozenset[tuple[str, str]]:
    """The pools to show; memory holds those of the scrape before."""
    order = sorted(ranked, key=lambda key: (ranked[key].rank, key), reverse=True)
    before = memory.get("shown", frozenset())
    kept = [key for key in order[:KEPT] if key in before]
    waiting = [key for key in order[:SHOWN] if ranked[key].clients["waiting"]]  # never left out for one that was there
    chosen = list(dict.fromkeys((*waiting, *kept, *order)))[:SHOWN]
    memory["shown"] = frozenset(chosen)
    return memory["shown"]  # type: ignore[no-any-return]


def _samples(key: tuple[str, str], pool: Pool) -> Iterator[Sample]:
    database, user = key
    for state, count in pool.clients.items():
        yield CLIENTS(count, database=database, user=user, state=state)
    for state, count in pool.servers.items():
        yield SERVERS(count, database=database, user=user, state=state)
    yield WAIT(pool.wait, database=database, user=user)


POOLS = Collector(
    "pools",
    ask={"main": Show("SHOW POOLS"), "databases": Show("SHOW DATABASES")},
    read=read,
    families=(CLIENTS, SERVERS, WAIT, SIZE),
)
