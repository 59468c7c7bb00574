"""PostgreSQL: will the data still be there, and can it be reached?

Watches a cluster of a primary and its standbys as one target: replication, slots and the WAL archive (what would be
lost), connections, locks and transactions (what stops the work), wraparound, vacuum, sizes, checkpoints and checksums
(what comes next), statements and I/O (what it costs), roles, settings, pg_hba.conf and logins (who may do what). Facts
of the primary carry no member, so that they survive a failover; facts of a standby, and of files that each member has
of its own, carry `member`.
`grants.sql` makes the role that it logs in with: it reads statistics, and no row of anybody's tables.
"""

from closewatch.core.collectors import Collector
from closewatch.postgresql.checkpoints import CHECKPOINTS
from closewatch.postgresql.checksums import CHECKSUMS
from closewatch.postgresql.cloudnativepg import CLOUDNATIVEPG
from closewatch.postgresql.connections import CONNECTIONS
from closewatch.postgresql.databases import DATABASES
from closewatch.postgresql.hba import HBA
from closewatch.postgresql.io import IO
from closewatch.postgresql.isolation import ISOLATION
from closewatch.postgresql.locks import LOCKS
from closewatch.postgresql.logins import LOGINS
from closewatch.postgresql.parameters import PARAMETERS
from closewatch.postgresql.receiver import RECEIVER
from closewatch.postgresql.replication import REPLICATION
from closewatch.postgresql.roles import ROLES
from closewatch.postgresql.server import SERVER
from closewatch.postgresql.slots import SLOTS
from closewatch.postgresql.statements import STATEMENTS
from closewatch.postgresql.storage import STORAGE
from closewatch.postgresql.transactions import TRANSACTIONS
from closewatch.postgresql.vacuum import VACUUM
from closewatch.postgresql.wal_archive import WAL_ARCHIVE
from closewatch.postgresql.wal_position import WAL_POSITION
from closewatch.postgresql.wraparound import WRAPAROUND

# The cheapest first: a batch that is cut short by its deadline has answered what it could.
COLLECTORS: tuple[Collector, ...] = (
    SERVER,
    WAL_POSITION,
    CHECKPOINTS,
    WRAPAROUND,
    SLOTS,
    RECEIVER,
    WAL_ARCHIVE,
    CHECKSUMS,
    REPLICATION,
    LOCKS,
    CONNECTIONS,
    TRANSACTIONS,
    VACUUM,
    IO,
    LOGINS,
    ROLES,
    PARAMETERS,
    HBA,
    ISOLATION,
    STORAGE,
    STATEMENTS,
    DATABASES,
)

# What is asked of somebody else than the server.
ABOUT: tuple[Collector, ...] = (CLOUDNATIVEPG,)
