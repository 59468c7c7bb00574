"""PgBouncer: does a client get a connection to its database, and how long does it wait for one?

Watches the pooler itself, on its admin console, which answers while the server behind it doesn't: pools whose clients
wait, the limit of clients, what was paused or disabled and forgotten, and whether its logins and its traffic are
protected. It logs in as one of `stats_users`, who may look at everything there and change nothing.
"""

from closewatch.core.collectors import Collector
from closewatch.pgbouncer.clients import CLIENTS
from closewatch.pgbouncer.databases import DATABASES
from closewatch.pgbouncer.exposure import EXPOSURE
from closewatch.pgbouncer.pools import POOLS

COLLECTORS: tuple[Collector, ...] = (CLIENTS, DATABASES, POOLS, EXPOSURE)
