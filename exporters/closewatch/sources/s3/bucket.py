"""How a bucket is asked: S3's listing, a bounded part at a time, and ranged reads of single objects.

A listing comes in the order of names, at most 1,000 a request. What is too long for one look is continued in the next,
from the name where it ended, and said to be truncated until its end was reached once. Where later names are newer, as
with dates in them, each look lists the end first, and the whole once a day only.

Time-outs are on connecting and on each read; the caller runs this aside for the rest (see `sources.aside`). The
server's texts are never passed on: its error code is.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret, SecretError
from closewatch.sources.s3.errors import of_client, of_server
from closewatch.sources.store import PART, TOC, Entry, Gone, Listing, matches, pattern

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
SLOWEST = 5.0
"""Seconds to wait for a connection, and for each read."""
RESERVE = 3.0
"""Seconds before the deadline at which a listing stops, and is continued in the next look."""
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
_STUMBLES = (AttributeError, KeyError, TypeError, ValueError)
"""What the client, or we, make of an answer that has another form."""
_ERRORS = (ClientError, BotoCoreError, ResponseParserError, *_STUMBLES)
# At their level "debug" these write the headers of requests, with tokens.
for _name in ("botocore", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Access:
    """Where a bucket is and how to log in; without keys, by the environment's own chain (files, role, instance)."""

    bucket: str
    prefix: str
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    ca: str | None = None
    path_style: bool = False


class Bucket:
    """The objects below a prefix whose names fit a pattern. What it has seen of a long listing is remembered."""

    atomic = True

    def __init__(self, access: Access, fitting: str, pages: int = PAGES) -> None:
        self.access = access
        self.where = "the bucket"
        self._levels = pattern(fitting)
        self._pages = pages
        self._session = botocore.session.Session()
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
            self._client = self._connect()
            return self._look(deadline)
        except _ERRORS as error:
            raise _unavailable(error) from None

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
            if _code(error) in {"NoSuchKey", "404", "PreconditionFailed", "412", "InvalidRange", "416"}:
                raise Gone from None
            raise _unavailable(error) from None
        except _ERRORS as error:
            raise _unavailable(error) from None

    def _connect(self) -> Any:
        """A client with the secrets as they are now."""
        access = self.access
        try:
            secret = access.secret_key.read() if access.secret_key else None
            token = access.session_token.read() if access.session_token else None
        except SecretError as error:
            raise Unavailable(Reason.SECRET, str(error)) from None
        return self._session.create_client(
            "s3",
            endpoint_url=access.endpoint,
            region_name=access.region or (self._session.get_config_variable("region") or "us-east-1"),
            aws_access_key_id=access.access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            verify=access.ca,
            config=Config(
                signature_version="s3v4",
                connect_timeout=SLOWEST,
                read_timeout=SLOWEST,
                retries={"total_max_attempts": 2, "mode": "standard"},
                s3={"addressing_style": "path" if access.path_style else "auto"},
                # Older Ceph and MinIO refuse the checksums that newer clients send.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

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


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _unavailable(error: Exception) -> Unavailable:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return of_server(_code(error), int(status))
    if isinstance(error, _STUMBLES) and not isinstance(error, BotoCoreError):
        return Unavailable(Reason.INVALID_ANSWER, type(error).__name__)
    return of_client(error)
