"""Tables and indexes as they came back, page by page: `pg_amcheck`, in the throwaway server alone.

Reading every page also compares its checksum, where the cluster has them. Source: PostgreSQL's documentation of
pg_amcheck (14 and newer) and of the module amcheck.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from closewatch.engines.binaries import with_client
from closewatch.engines.datafolder import reachable
from closewatch.engines.process import EngineError
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.restores.why import Failed, Why

OLDEST = 14
DAMAGED = 2
"""Its exit code where it found damage; 1 is an error of its own."""
_MISSING = (b'extension "amcheck" is not available', b"could not open extension control file")


def verify(
    server: Server, scratch: Scratch, databases: Sequence[str], tables: Sequence[str], jobs: int = 1
) -> dict[str, Any]:
    """Look at the named tables (none: at all) with their indexes. Raises Failed(corrupt, cannot_test)."""
    if server.major < OLDEST:
        return {"looked_at": False, "because": f"PostgreSQL {server.major} is older than pg_amcheck"}
    try:
        client = reachable(scratch.engines, with_client("pg_amcheck", server.major)).path / "pg_amcheck"
    except EngineError:
        raise Failed(Why.CANNOT_TEST, "pg_amcheck is not installed here; `amcheck: none` leaves this out") from None
    command = [str(client), "-h", str(server.socket), "-p", str(server.port), "-U", server.admin, f"--jobs={jobs}"]
    command += ["--install-missing", "--no-strict-names", *(f"--table=*.{table}" for table in tables)]
    for database in databases:
        ran = scratch.run([*command, f"--database={_pattern(database)}"])
        if ran.code == DAMAGED or b"invalid page" in ran.err + ran.out:
            raise Failed(Why.CORRUPT, f"pg_amcheck found damage in {database}")
        if ran.code:
            if any(sign in ran.err for sign in _MISSING):
                words = "the extension amcheck is not installed here; `amcheck: none` leaves this out"
                raise Failed(Why.CANNOT_TEST, words)
            raise Failed(Why.TOOL_FAILED, f"pg_amcheck ended with {ran.code}")
    return {"looked_at": True, "databases": list(databases), "tables": list(tables) or "all"}


def _pattern(name: str) -> str:
    """A name as psql's patterns take it literally."""
    return '"' + name.replace('"', '""') + '"'
