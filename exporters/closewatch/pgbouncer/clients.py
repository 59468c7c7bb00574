"""Can one more client connect, and which version runs?

    closewatch_pgbouncer_clients 212
    closewatch_pgbouncer_clients_max 500
    closewatch_pgbouncer_info{version="1.18.0"} 1

All sessions count, our own on the console too: at the limit PgBouncer counts them as well, and refuses every further
client. The console alone has no limit, so that a full PgBouncer can still be asked.

Rights: stats_users. Cost: memory only. Source: SHOW LISTS, SHOW CONFIG.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.pgbouncer.words import number, settings
from closewatch.sources.postgresql.show import Show

CONNECTED = Gauge("closewatch_pgbouncer_clients", "Clients that are connected or logging in, closewatch included.")
MAX = Gauge("closewatch_pgbouncer_clients_max", "Clients that can be connected at once: max_client_conn.")
INFO = Gauge("closewatch_pgbouncer_info", "The version of PgBouncer that runs; always 1.", ("version",))


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Rows (list, items) and (key, value): two figures; the version from the log-in."""
    counted = {row["list"]: row["items"] for row in answer.rows("lists")}
    yield CONNECTED(number(counted.get("used_clients")))
    yield MAX(number(settings(answer.rows("config")).get("max_client_conn")))
    major, rest = divmod(answer.version, 10_000)
    minor, patch = divmod(rest, 100)
    yield INFO(1, version=f"{major}.{minor}.{patch}")


CLIENTS = Collector(
    "clients",
    ask={"lists": Show("SHOW LISTS"), "config": Show("SHOW CONFIG")},
    read=read,
    families=(CONNECTED, MAX, INFO),
)
