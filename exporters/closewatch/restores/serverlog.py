"""Why a server ended, by what its log says: PostgreSQL's own messages, in English as we start it, told by fixed parts.

The log is somebody else's text and may hold rows: nothing of it is passed on.

Source: src/backend/access/transam/xlog.c, xlogrecovery.c and timeline.c of PostgreSQL 13 to 18.
"""

from __future__ import annotations

from closewatch.restores.toolerrors import pgbackrest_errors, pgbackrest_failure
from closewatch.restores.why import Failed, Why

_SIGNS: tuple[tuple[str, Why, str], ...] = (
    ("No space left on device", Why.NO_SPACE, "the disk was filled while the server ran"),
    (
        "recovery ended before configured recovery target was reached",
        Why.TARGET_NOT_REACHED,
        "the WAL ends before the moment that was asked for",
    ),
    ("WAL ends before end of online backup", Why.WAL_MISSING, "the WAL of the backup itself is not complete"),
    ("WAL ends before consistent recovery point", Why.WAL_MISSING, "the WAL of the backup itself is not complete"),
    (
        "could not locate required checkpoint record",
        Why.WAL_MISSING,
        "the WAL in which the backup begins is not in the archive",
    ),
    (
        "could not locate a valid checkpoint record",
        Why.WAL_MISSING,
        "the WAL in which the backup begins is not in the archive",
    ),
    ("is not a child of this server's history", Why.WAL_MISSING, "the WAL in the archive is that of another timeline"),
    ("does not contain minimum recovery point", Why.WAL_MISSING, "the WAL in the archive is that of another timeline"),
    (
        "WAL file is from different database system",
        Why.WRONG_BACKUP,
        "the WAL in the archive is that of another cluster",
    ),
    (
        "database files are incompatible with server",
        Why.WRONG_VERSION,
        "the data are those of another version, or of another build, of PostgreSQL",
    ),
    ("incorrect checksum in control file", Why.UNREADABLE, "the control file is damaged"),
    ("invalid data in file", Why.UNREADABLE, "a file that recovery begins with is damaged"),
    (
        "is an incremental backup, not a data directory",
        Why.CANNOT_TEST,
        "it is an incremental backup of pg_basebackup: put it together with pg_combinebackup first",
    ),
    (
        "resource manager with ID",
        Why.CANNOT_TEST,
        "an extension has WAL of its own, and libraries of the restored cluster are never loaded here",
    ),
    ("could not restore file", Why.TOOL_FAILED, "the program that fetches WAL can't be started, or was ended"),
    ("PANIC:", Why.CORRUPT, "recovery ended in a panic: WAL or data are damaged"),
    ("invalid page in block", Why.CORRUPT, "a page is damaged"),
)


def why_it_ended(log: str) -> Failed:
    """The failure that a log tells; `start_failed` where it tells nothing that is known."""
    if said := pgbackrest_errors(log):
        return pgbackrest_failure(said[-1])
    for sign, why, words in _SIGNS:
        if sign in log:
            return Failed(why, words)
    return Failed(Why.START_FAILED)
