"""The restored files against the backup's own manifest, before a server changes them.

WAL is left out (`--no-parse-wal`): it comes from the archive, and recovery reads all of it. A backup without a manifest
(pgBackRest and Barman's rsync have their own checksums) is said to have none.

Source: PostgreSQL's documentation of pg_verifybackup, 13 to 18.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from closewatch.core.words import number_of
from closewatch.restores import cluster
from closewatch.restores.scratch import Scratch
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


def verify(scratch: Scratch, data: Path | None = None) -> dict[str, Any]:
    """What was compared, of what was restored or another data folder. Raises Failed(manifest) where files differ."""
    data = data or scratch.data
    if not (data / "backup_manifest").exists():
        return {"there": False}
    program = cluster.program(cluster.binaries_of(scratch, data), "pg_verifybackup")
    ignored = [f"--ignore={name}" for name in CHANGED]
    ran = scratch.run([program, "--no-parse-wal", "--quiet", *ignored, str(data)], cwd=scratch.path)
    if ran.code:
        faults = sum(b"error:" in line for line in ran.err.splitlines())
        words = number_of(faults, "fault") if faults else "faults"
        raise Failed(Why.MANIFEST, f"pg_verifybackup found {words} in the restored files")
    return {"there": True, "verified_by": "pg_verifybackup"}


def system_identifier(scratch: Scratch) -> str:
    """Whose cluster it is. Raises Failed."""
    return cluster.control(scratch, cluster.binaries_of(scratch)).get("Database system identifier", "")
