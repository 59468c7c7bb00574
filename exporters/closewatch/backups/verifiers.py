"""The verification that each tool has of its own: dear, and so only for a schedule. Nothing is changed, nothing locked.

Each gives what it looked at (`type`, `by`) and, where it did not pass, a word of a closed set. Most of these programs
end with the same code for damage and for a wrong option: damage is what they say in words that are known, in the
C locale; all else is not known. What a tool prints is never kept. Source: pgBackRest's src/command/verify (its output),
restic's cmd/restic/cmd_check.go, Barman's barman/backup.py (verify_backup), PostgreSQL's src/bin/pg_verifybackup; seen
with pgBackRest 2.45, restic 0.14, Barman 3.4 and PostgreSQL 15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from closewatch.backups import full_read
from closewatch.backups.basebackup import MANIFEST as MANIFEST_FILE
from closewatch.backups.found import Type
from closewatch.backups.reading import understood
from closewatch.backups.rows import MANIFEST, TOOL
from closewatch.backups.verification import Verified, until
from closewatch.core.checks import Task
from closewatch.core.reasons import Reason
from closewatch.sources import tool
from closewatch.sources.program import ERRORS

_PGBACKREST = {31: "cannot_check", 37: "not_found", 41: "permission", 42: "permission", 50: "locked", 73: "permission"}
"""Exit codes of its common/error.auto.c; all others are `tool_failed`."""
_NO_STANZA = ("No usable backup.info file", "No usable archive.info file")
_RESTIC = {Reason.NOT_FOUND: "not_found", Reason.AUTHENTICATION: "authentication"}
_RESTIC_DAMAGE = (b"repository contains errors", b"LoadIndex returned errors", b"ciphertext verification failed")
_VERIFYBACKUP_DAMAGE = (
    b"checksum mismatch",
    b" has size ",
    b"is present in the manifest but not on disk",
    b"is present on disk but not in the manifest",
    b"could not parse backup manifest",
    b"could not parse manifest",
    b"manifest has no checksum",
)


def _says(ran: tool.Ran, words: Iterable[bytes]) -> bool:
    return any(one in ran.err for one in words)


def pgbackrest(of: Any, task: Task) -> Verified:
    """`verify` prints text; damage is in its status, and its code is 0 all the same."""
    config = [f"--config={of.config}"] if of.config else []
    options = [f"--stanza={of.stanza}", f"--repo={of.repo}", *config, "--log-level-console=error"]
    command = [*of.command, *options, "--log-level-file=off", "--output=text", "--verbose", "verify"]
    ran = tool.run(command, until(task))
    said = ran.out.decode("utf-8", "replace")
    status = next((line[7:].strip() for line in said.splitlines() if line.startswith("status:")), None)
    if status == "ok" and not ran.code:
        return Verified(Type.FULL, TOOL, True)
    if status == "error":
        there = not all(words in said for words in _NO_STANZA)
        return Verified(Type.FULL, TOOL, False if there else None, "corrupt" if there else "not_found")
    return Verified(Type.FULL, TOOL, None, _PGBACKREST.get(ran.code, "tool_failed"))


def restic(of: Any, task: Task) -> Verified:
    """`check` looks at the structure of the repository and the size of each pack, and does not read all data."""
    from closewatch.backups.restic import Repository, refused  # noqa: PLC0415

    repository = Repository(of.command, of.repository, of.password, ())
    ran = repository.run(until(task), "check", judged=False)
    if not ran.code:
        return Verified(Type.SNAPSHOT, TOOL, True)
    refusal = refused(ran)
    if "is locked" in refusal.detail:
        return Verified(Type.SNAPSHOT, TOOL, None, "locked")
    if refusal.reason in _RESTIC:
        return Verified(Type.SNAPSHOT, TOOL, None, _RESTIC[refusal.reason])
    # Its last line says it; where there are so many complaints that it was dropped, these are enough.
    if ran.code == 1 and (_says(ran, _RESTIC_DAMAGE) or len(ran.err) >= ERRORS):
        return Verified(Type.SNAPSHOT, TOOL, False, "corrupt")
    return Verified(Type.SNAPSHOT, TOOL, None, "tool_failed")


def barman(of: Any, task: Task) -> Verified:
    """`verify-backup` is pg_verifybackup on its host. Not `check-backup`: that one marks a backup as failed."""
    command = [*of.command, *(["-c", str(of.config)] if of.config else [])]
    listed = tool.run([*command, "-f", "json", "list-backup", of.server], until(task))
    if listed.code:
        return Verified(Type.FULL, MANIFEST, None, "tool_failed")
    done = understood(
        "barman's list",
        lambda: sorted(str(one["backup_id"]) for one in listed.json()[of.server] if one["status"] == "DONE"),
    )
    if not done:
        return Verified(Type.FULL, MANIFEST, None, "no_backup")
    ran = tool.run([*command, "verify-backup", of.server, done[-1]], until(task))
    if ran.code and b"pg_verifybackup not found" in ran.err:
        return Verified(Type.FULL, MANIFEST, None, "cannot_check")
    return _of_manifest(ran)


def basebackup(of: Any, task: Task) -> Verified:
    """`pg_verifybackup` of the newest: each file's checksum; the WAL lies elsewhere, and is not parsed."""
    found = [(path.stat().st_mtime, path) for path in of.path.glob(f"*/{MANIFEST_FILE}")]
    if not found:
        return Verified(Type.FULL, MANIFEST, None, "no_backup")
    folder = max(found)[1].parent
    if not (folder / "PG_VERSION").is_file():
        return Verified(Type.FULL, MANIFEST, None, "cannot_check")  # tar files: only from PostgreSQL 18
    return _of_manifest(tool.run([_verifybackup(folder), "-n", str(folder)], until(task)))


def _of_manifest(ran: tool.Ran) -> Verified:
    if not ran.code:
        return Verified(Type.FULL, MANIFEST, True)
    if b"Permission denied" in ran.err:
        return Verified(Type.FULL, MANIFEST, None, "permission")
    damaged = ran.code == 1 and (_says(ran, _VERIFYBACKUP_DAMAGE) or len(ran.err) >= ERRORS)
    return Verified(Type.FULL, MANIFEST, False if damaged else None, "corrupt" if damaged else "tool_failed")


def _verifybackup(folder: Path) -> str:
    """That of the backup's own version where Debian keeps it, else the one on the PATH."""
    try:
        major = (folder / "PG_VERSION").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        major = ""
    own = Path("/usr/lib/postgresql") / major / "bin" / "pg_verifybackup"
    return str(own) if major.isdigit() and own.is_file() else "pg_verifybackup"


VERIFIERS: Mapping[str, Callable[[Any, Task], Verified]] = {
    "folder": full_read.archive,
    "s3": full_read.archive,
    "pgbackrest": pgbackrest,
    "barman": barman,
    "restic": restic,
    "basebackup": basebackup,
}
