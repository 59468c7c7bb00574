"""A restored cluster before a server runs: its version, the programs that fit it, and what its control file says."""

from __future__ import annotations

from pathlib import Path

from closewatch.engines.binaries import PostgresBinaries, find_postgres
from closewatch.engines.datafolder import reachable
from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why


def binaries_for(major: int, *, exactly: bool) -> PostgresBinaries:
    """A server of the major version, or the lowest that is at least that. Raises Failed(wrong_version)."""
    here = find_postgres()
    fitting = [one for one in here if one.major == major or (not exactly and one.major > major)]
    if not fitting:
        found = ", ".join(str(one.major) for one in here) or "none"
        raise Failed(Why.WRONG_VERSION, f"it needs PostgreSQL {major}; on this machine there is: {found}")
    return fitting[0]


def binaries_of(scratch: Scratch, data: Path | None = None) -> PostgresBinaries:
    """Those of the cluster's own version; or of another data folder's. Raises Failed(unreadable, wrong_version)."""
    try:
        major = int(((data or scratch.data) / "PG_VERSION").read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        raise Failed(Why.UNREADABLE, "what was restored is no data folder of PostgreSQL") from None
    return reachable(scratch.engines, binaries_for(major, exactly=True))


def program(binaries: PostgresBinaries, name: str) -> str:
    """A program that belongs to the server, such as pg_restore. Raises Failed(tool_failed)."""
    found = binaries.program(name)
    if found is None:
        raise Failed(Why.TOOL_FAILED, f"{name} is not installed beside PostgreSQL {binaries.major}")
    return str(found)


def control(scratch: Scratch, binaries: PostgresBinaries) -> dict[str, str]:
    """What `pg_controldata` says, by its names. Raises Failed(tool_failed, unreadable)."""
    ran = scratch.run([program(binaries, "pg_controldata"), "-D", str(scratch.data)])
    if ran.code:
        raise Failed(Why.UNREADABLE, "the control file of the restored cluster can't be read")
    lines = (line.split(":", 1) for line in ran.out.decode(errors="replace").splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in lines}
