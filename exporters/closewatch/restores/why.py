"""Why a restore test did not pass: a closed set, so that it can be a label, and our own words for people."""

from __future__ import annotations

import enum
import errno


class Why(enum.StrEnum):
    """The label `reason`."""

    NO_BACKUP = "no_backup"
    WRONG_BACKUP = "wrong_backup"
    UNREADABLE = "unreadable"
    WRONG_VERSION = "wrong_version"
    NO_SPACE = "no_space"
    START_FAILED = "start_failed"
    TARGET_NOT_REACHED = "target_not_reached"
    WAL_MISSING = "wal_missing"
    MANIFEST = "manifest"
    CORRUPT = "corrupt"
    BOOKS = "books"
    FILESTORE_INCOMPLETE = "filestore_incomplete"
    SECRETS = "secrets"
    CONFIGURATION = "configuration"
    INFRASTRUCTURE = "infrastructure"
    TIME_LIMIT = "time_limit"
    TOOL_FAILED = "tool_failed"
    CLOCK = "clock"
    CANCELLED = "cancelled"
    CANNOT_TEST = "cannot_test"
    ERROR = "error"

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _WORDS[self]


_WORDS = {
    Why.NO_BACKUP: "there is no backup that could be restored",
    Why.WRONG_BACKUP: "it is a backup of something else: another database, cluster or company",
    Why.UNREADABLE: "the backup, or a part of it, can't be read: cut short, damaged, or no right to read it",
    Why.WRONG_VERSION: "no PostgreSQL of the backup's major version is on this machine",
    Why.NO_SPACE: "the disk for restore tests is too small, or was filled by the restore",
    Why.START_FAILED: "PostgreSQL did not start on the restored data, or ended while it recovered",
    Why.TARGET_NOT_REACHED: "recovery ended before the moment that was asked for",
    Why.WAL_MISSING: "a WAL segment that recovery needs is not in the archive",
    Why.MANIFEST: "files differ from the backup's own manifest",
    Why.CORRUPT: "tables or indexes of the restored database are damaged",
    Why.BOOKS: "the books in it are not right: unbalanced, broken hash chain, or other figures than recorded",
    Why.FILESTORE_INCOMPLETE: "attachments are missing or altered",
    Why.SECRETS: "the archive of secrets can't be decrypted",
    Why.CONFIGURATION: "the configuration archive can't be parsed",
    Why.INFRASTRUCTURE: "the bundle of infrastructure code is not complete or not valid",
    Why.TIME_LIMIT: "it took longer than the plan allows",
    Why.TOOL_FAILED: "the backup tool ended with an error, or is not installed here",
    Why.CLOCK: "the clocks disagree: a backup, or a commit in it, is from the future",
    Why.CANCELLED: "it was stopped before it was done",
    Why.CANNOT_TEST: "this kind of backup can't be tested here, such as a volume snapshot",
    Why.ERROR: "a fault in closewatch itself: please report it with the log",
}


class Failed(Exception):
    """The test ends here. `detail` is in our own words and shows no secret, no row of the books, no tool's text."""

    def __init__(self, why: Why, detail: str = "") -> None:
        self.why = why
        self.detail = detail
        super().__init__(f"{why.value}: {detail}" if detail else why.value)


def unwritten(error: OSError) -> Failed:
    """Why something could not be written to the place of the test."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return Failed(Why.NO_SPACE)
    return Failed(Why.ERROR, f"the place of the test: {errno.errorcode.get(error.errno or 0, 'unknown error')}")
