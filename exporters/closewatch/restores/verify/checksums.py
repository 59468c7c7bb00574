"""Every page of the recovered cluster against its checksum: also those that no table scan of amcheck reads.

Before recovery it would mean nothing: pages that were written while the backup ran may be torn, and WAL mends them. So
the recovered server is stopped cleanly, looked at, and started again. Source: PostgreSQL's documentation of
pg_checksums, 12 and newer.
"""

from __future__ import annotations

from typing import Any

from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.restores.why import Failed, Why

_DAMAGE = b"checksum verification failed"


def verify(server: Server, scratch: Scratch) -> dict[str, Any]:
    """Raises Failed(corrupt). The server runs before and after."""
    if server.control().get("Data page checksum version", "0") == "0":
        return {"looked_at": False, "because": "the cluster has no page checksums"}
    program = server.binaries.program("pg_checksums")
    if program is None:
        return {"looked_at": False, "because": "pg_checksums is not installed beside the server"}
    server.rest()
    ran = scratch.run([str(program), "--check", "-D", str(scratch.data)])
    if ran.code:
        if _DAMAGE in ran.err:
            raise Failed(Why.CORRUPT, f"{ran.err.count(_DAMAGE):,} pages or more differ from their checksums")
        raise Failed(Why.TOOL_FAILED, f"pg_checksums ended with {ran.code}")
    server.start()
    return {"looked_at": True, "verified_by": "pg_checksums"}
