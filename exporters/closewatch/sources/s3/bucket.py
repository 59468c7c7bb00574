"""How a bucket is asked: S3's listing, a bounded part at a time, and ranged reads of single objects.

A listing comes in the order of names, at most 1,000 a request. What is too long for one look is continued in the next,
from the name where it ended, and said to be truncated until its end was reached once. Where later names are newer, as
with dates in them, each look lists the end first, and the whole once a day only.

The caller runs this aside, as the client's time-outs don't bound the whole (see `client`).
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.s3.client import ERRORS, Access, code, connect, unavailable
from closewatch.sources.store import PART, TOC, Entry, Gone, Listing, matches, pattern

__all__ = ["Access", "Bucket"]

PAGES = 20
"""Requests for one look: 20,000 names."""
TAIL = 100
"""Where names follow time, so many of the newest are listed again."""
WHOLE = 86_400.0
"""Seconds after which such a place is listed from its beginning again."""
DISORDER = 3_600.0
"""Seconds by which a later name may be older all the same: uploads overtake each other."""
KNOWN = 20_000
"""So many of the newest are remembered."""
RESERVE = 3.0
"""Seconds before the deadline at which a listing stops, and is continued in the next look."""
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")


class Bucket:
    """The objects below a prefix whose names fit a pattern. What it has seen of a long listing is remembered."""

    atomic = True

    def __init__(self, access: Access, fitting: str, pages: int = PAGES) -> None:
        self.access = access
        self.where = "the bucket"
        self._levels = pattern(fitting)
        self._pages = pages
        self._session = Session()
        self._client: Any = None
        self._known: dict[str, Entry] = {}
        self._cursor = ""
        """The name after which the walk from the first name to the last goes on."""
        self._walked = 0.0
        """When such a walk was last completed; 0 is never."""

    def list(self, deadline: Deadline) -> Listing:
        """What is there, as far as one look goes. Raises Unavailable."""
        try:
            self.close()
            self._client = connect(self._session, self.access)
            return self._look(deadline)
        except ERRORS as error:
            raise unavailable(error) from None

    def _look(self, deadline: Deadline) -> Listing:
        left, at_once = self._pages, False
        in_order = self._walked > 0 and self._in_order()
        if in_order:
            left -= self._range(self._tail(), left, deadline)[0]
        if self._cursor or not in_order or time.time() - self._walked >= WHOLE:
            begun = self._cursor
            _, last, ended = self._range(begun, max(1, left), deadline)
            self._cursor = "" if ended else last
            self._walked = time.time() if ended else self._walked
            at_once = ended and not begun
        return Listing.of(self._known.values(), truncated=not (at_once or in_order))

    def _range(self, after: str, most: int, deadline: Deadline) -> tuple[int, str, bool]:
        """List from a name on; gives the number of requests, the last name, and whether that was the end."""
        ask = {"Bucket": self.access.bucket, "Prefix": self.access.prefix, "StartAfter": after}
        seen: dict[str, Entry] = {}
        pages, last, more = 0, after, True
        while more and pages < most and not (pages and deadline.left() < RESERVE):
            deadline.need()
            page = self._client.list_objects_v2(**{name: value for name, value in ask.items() if value})
            pages, last = pages + 1, self._page(page, seen) or last
            ask = {"Bucket": self.access.bucket, "Prefix": self.access.prefix}
            ask["ContinuationToken"] = page.get("NextContinuationToken", "")
            more = bool(page.get("IsTruncated") and ask["ContinuationToken"])
        if more:
            last = self._without_half(last, seen)
        self._merge(after, last, seen, ended=not more)
        return pages, last, not more

    def _without_half(self, last: str, seen: dict[str, Entry]) -> str:
        """A folder of pg_dump's whose files were not all listed is left to the next look, as a whole."""
        folder = last.removeprefix(self.access.prefix).rpartition("/")[0]
        if folder in seen and seen[folder].parts:
            del seen[folder]
            return self.access.prefix + folder
        return last

    def _page(self, page: Mapping[str, Any], seen: dict[str, Entry]) -> str:
        """Take over what fits; gives the last name of the page."""
        last = ""
        for item in page.get("Contents") or ():
            last = item["Key"]
            entry = self._entry(item)
            if entry is None:
                continue
            folder, _, part = entry.name.rpartition("/")
            if folder and PART.fullmatch(part) and self._fits(folder):
                seen[folder] = _joined(seen.get(folder) or Entry(folder, 0, 0.0, ""), part, entry)
            elif self._fits(entry.name):
                seen[entry.name] = entry
        return last

    def _fits(self, name: str) -> bool:
        return matches(name.lstrip("/"), self._levels)

    def _entry(self, item: Mapping[str, Any]) -> Entry | None:
        name = item["Key"].removeprefix(self.access.prefix)
        if not name or name.endswith("/"):
            return None
        archived = item.get("StorageClass") in ARCHIVED
        tag = f"{item['Size']}:{item.get('ETag', '')}:{item['LastModified'].timestamp()}"
        return Entry(name, item["Size"], item["LastModified"].timestamp(), tag, readable=not archived)

    def _merge(self, first: str, last: str, seen: dict[str, Entry], *, ended: bool) -> None:
        """What lies between the first and the last name is as it was seen now; the rest as it was before."""

        def outside(name: str) -> bool:
            key = self.access.prefix + name
            return key <= first or (not ended and key > last)

        kept = {name: entry for name, entry in self._known.items() if outside(name)} | seen
        whole = {name: entry for name, entry in kept.items() if not entry.parts or TOC in entry.parts}
        newest = heapq.nlargest(KNOWN, whole.values(), key=lambda entry: entry.modified)
        self._known = {entry.name: entry for entry in newest}

    def _in_order(self) -> bool:
        """Whether later names are newer."""
        times = [entry.modified for _, entry in sorted(self._known.items())]
        newest_before = itertools.accumulate(times, max)
        return len(times) > TAIL and all(a <= b + DISORDER for a, b in zip(newest_before, times, strict=True))

    def _tail(self) -> str:
        """The name after which the newest begin."""
        return self.access.prefix + sorted(self._known)[-TAIL]

    def read(self, entry: Entry, part: str, start: int, length: int, deadline: Deadline) -> bytes:
        """Bytes of an object, which must still be the one that was listed. Raises Gone, Unavailable."""
        deadline.need()
        if length <= 0:
            return b""
        key = self.access.prefix + entry.name + (f"/{part}" if part else "")
        tag = entry.tag.split(":")[1]
        only = {"IfMatch": tag} if tag and not part else {}
        try:
            answer = self._client.get_object(
                Bucket=self.access.bucket, Key=key, Range=f"bytes={start}-{start + length - 1}", **only
            )
            with answer["Body"] as body:
                if start and not answer.get("ContentRange"):
                    raise Unavailable(Reason.INVALID_ANSWER, "the server ignores ranges")
                return bytes(body.read(length))
        except ClientError as error:
            if code(error) in {"NoSuchKey", "404", "PreconditionFailed", "412", "InvalidRange", "416"}:
                raise Gone from None
            raise unavailable(error) from None
        except ERRORS as error:
            raise unavailable(error) from None

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _joined(folder: Entry, part: str, entry: Entry) -> Entry:
    """A folder of pg_dump's, with one file more."""
    parts = {**folder.parts, part: entry.size}
    size, newest = folder.size + entry.size, max(folder.modified, entry.modified)
    return Entry(folder.name, size, newest, f"{len(parts)}::{size}:{newest}", parts, folder.readable and entry.readable)
