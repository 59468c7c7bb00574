"""Can somebody log in without a password, or read what passes?

    closewatch_pgbouncer_exposed{exposure="login_without_password"} 0
    closewatch_pgbouncer_exposed{exposure="client_tls_not_required"} 1

`trust` and `any` let everybody in who reaches the port, as any user. TLS is required only by `require` and the verify
modes: with `prefer` and `allow` whoever sits in between decides. What doesn't leave the host (loopback, Unix sockets)
isn't exposed. Where `auth_type` is hba, a file decides that can't be read here: no sample, which is not a 0.

Rights: stats_users. Cost: memory only. Source: SHOW CONFIG, SHOW DATABASES.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory, Row
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.pgbouncer.words import CONSOLE, settings
from closewatch.sources.postgresql.show import Show

EXPOSED = Gauge(
    "closewatch_pgbouncer_exposed",
    "Whether something that protects logins or traffic is off (1) or on (0); absent where that can't be told.",
    ("exposure",),
)

WITHOUT_PASSWORD = {"trust", "any"}
BY_FILE = {"hba"}
TLS_REQUIRED = {"require", "verify-ca", "verify-full"}


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Rows (key, value), and a row a database with its host: a figure for each way of exposure."""
    config = settings(answer.rows("config"))
    auth, clients, servers = (config.get(key) for key in ("auth_type", "client_tls_sslmode", "server_tls_sslmode"))
    if auth and auth not in BY_FILE:
        yield EXPOSED(auth in WITHOUT_PASSWORD, exposure="login_without_password")
    if clients is not None:
        remote = any(_leaves_host(place.strip()) for place in config.get("listen_addr", "").split(",") if place.strip())
        yield EXPOSED(remote and clients not in TLS_REQUIRED, exposure="client_tls_not_required")
    if servers is not None:
        remote = any(_remote(row) for row in answer.rows("databases") if row["name"] != CONSOLE)
        yield EXPOSED(remote and servers not in TLS_REQUIRED, exposure="server_tls_not_required")


def _remote(row: Row) -> bool:
    """Whether a database is reached over a network; without a host it is by the Unix socket."""
    return any(_leaves_host(place.strip()) for place in str(row.get("host") or "").split(",") if place.strip())


def _leaves_host(place: str) -> bool:
    """Whether an address is reached from elsewhere: `*` is every address, a path is a socket."""
    if place.startswith(("/", "@")) or place == "localhost":
        return False
    try:
        return not ipaddress.ip_address(place).is_loopback
    except ValueError:
        return True


EXPOSURE = Collector(
    "exposure",
    ask={"config": Show("SHOW CONFIG"), "databases": Show("SHOW DATABASES")},
    read=read,
    families=(EXPOSED,),
    every=300.0,
)
