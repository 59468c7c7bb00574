"""Redis and Valkey: will sessions and jobs still be there, and who else can read them?

Watches a deployment as one target: memory and evictions (what is thrown away), persistence and replication (what a
restart or a failover would lose), connections, slow commands and latency (what stops the work), and exposure as
numbers: who can log in, from where, and what for. What it is used for decides what pages: an eviction is the daily
work of a cache, and lost work in a store of sessions or jobs. Odoo itself needs no Redis; its session and cache
add-ons do, and whoever reads a session's key has that session. `acl.txt` makes the user that it logs in as.
"""

from closewatch.core.collectors import Collector
from closewatch.redis.access import ACCESS
from closewatch.redis.cluster import CLUSTER
from closewatch.redis.connections import CONNECTIONS
from closewatch.redis.exposure import EXPOSURE
from closewatch.redis.latency import LATENCY
from closewatch.redis.memory import MEMORY
from closewatch.redis.outside import OUTSIDE
from closewatch.redis.persistence import PERSISTENCE
from closewatch.redis.replica import REPLICA
from closewatch.redis.replication import REPLICATION
from closewatch.redis.server import SERVER

COLLECTORS: tuple[Collector, ...] = (
    SERVER,
    MEMORY,
    CONNECTIONS,
    PERSISTENCE,
    REPLICATION,
    REPLICA,
    LATENCY,
    ACCESS,
    EXPOSURE,
    CLUSTER,
    OUTSIDE,
)
