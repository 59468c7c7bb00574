"""The restored files against the backup's own manifest, before a server changes them.

WAL is left out (`--no-parse-wal`): it comes from the archive, and recovery reads all of it. A backup without a manifest
(pgBackRest and Barman's rsync have their own checksums) is said to have none.

Source: PostgreSQL's documentation of pg_verifybackup, 13 to 18.
"""

from __future__ import annotations

from typing import Any

from closewatch.engines.binaries import PostgresBinaries
from closewatch.engines.datafolder import reachable
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import binaries_for
from closewatch.restores.why import Failed, Why

# What a tool writes into the folder after the backup was made, or takes out of it on purpose.
CHANGED = (
    "postgresql.auto.conf",
    "recovery.signal",
    "standby.signal",
    "pg_hba.conf",
    "postgresql.conf",
    "pg_ident.conf",
)


def verify(scratch: Scratch) -> dict[str, Any]:
    """What was compared. Raises Failed(manifest) where files differ or are missing."""
    if not (scratch.data / "backup_manifest").exists():
        return {"there": False}
    program = programs(scratch).program("pg_verifybackup")
    if program is None:
        raise Failed(Why.CANNOT_TEST, "pg_verifybackup is not installed beside the server")
    ignored = [f"--ignore={name}" for name in CHANGED]
    ran = scratch.run([str(program), "--no-parse-wal", "--quiet", *ignored, str(scratch.data)])
    if ran.code:
        faults = sum(b"error:" in line for line in ran.err.splitlines())
        raise Failed(Why.MANIFEST, f"pg_verifybackup found {faults or 'some'} faults in the restored files")
    return {"there": True, "verified_by": "pg_verifybackup"}


def programs(scratch: Scratch) -> PostgresBinaries:
    """Those of the restored cluster's version. Raises Failed."""
    try:
        major = int((scratch.data / "PG_VERSION").read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        raise Failed(Why.UNREADABLE, "what was restored is no data folder of PostgreSQL") from None
    return reachable(scratch.engines, binaries_for(major, exactly=True))


def system_identifier(scratch: Scratch) -> str:
    """Whose cluster it is. Raises Failed(unreadable)."""
    program = programs(scratch).program("pg_controldata")
    if program is None:
        raise Failed(Why.CANNOT_TEST, "pg_controldata is not installed beside the server")
    ran = scratch.run([str(program), "-D", str(scratch.data)])
    for line in ran.out.decode(errors="replace").splitlines():
        if line.startswith("Database system identifier:"):
            return line.split(":", 1)[1].strip()
    raise Failed(Why.UNREADABLE, "the control file of the restored cluster can't be read")
