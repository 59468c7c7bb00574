"""What the content of a file says of it: which kind of backup it is, whether it is whole, when it was begun.

Reading is by ranges, as an object in a bucket is read by ranged requests: a few kilobytes at its head and its end.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

Read = Callable[[int, int], bytes]
"""(offset, length) -> bytes; fewer only at the end of the file."""

HEAD = 64 * 1024
ZONE_BEHIND = 12 * 3600.0
"""A time without a zone is at the latest this much later in UTC: nobody's clock is further behind."""


class Type(enum.StrEnum):
    """The label `type`: what is compared with its own history. Physical ones are full, diff or incr."""

    FULL = "full"
    DIFF = "diff"
    INCR = "incr"
    DUMP = "dump"
    ODOO_ZIP = "odoo_zip"
    ARCHIVE = "archive"
    BUNDLE = "bundle"
    SNAPSHOT = "snapshot"
    VOLUME_SNAPSHOT = "volume_snapshot"
    RESOURCES = "resources"
    OPAQUE = "opaque"


class Fault(enum.StrEnum):
    """The label `reason`: why a backup is not good."""

    EMPTY = "empty"
    UNRECOGNISED = "unrecognised"
    TRUNCATED = "truncated"
    INCOMPLETE = "incomplete"
    FILESTORE_MISSING = "filestore_missing"
    UNSUPPORTED_VERSION = "unsupported_version"
    IN_THE_FUTURE = "in_the_future"
    ABANDONED = "abandoned"
    PAGE_CHECKSUM = "page_checksum"
    FAILED = "failed"
    PARTIAL = "partial"
    WAITING_FOR_WAL = "waiting_for_wal"
    EXPIRED = "expired"
    HOOK_FAILED = "hook_failed"
    MANIFEST = "manifest"


class Found(NamedTuple):
    """`whole` is None where the format doesn't show whether the end is there.

    `begun` is the latest Unix time at which its making can have begun, by its own words, or None.
    """

    type: Type | None = None
    whole: bool | None = None
    fault: Fault | None = None
    begun: float | None = None
    encrypted: bool | None = None


def bad(fault: Fault, type: Type | None = None) -> Found:
    """What is not good, and why."""
    return Found(type, whole=False, fault=fault)
