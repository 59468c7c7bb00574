"""All objects below a name, page by page, and their content chunk by chunk: for who brings a whole backup near.

Each call is one request, bounded by the client's time-outs; what bounds the whole, `need`, is asked between them.
Rights: to list the bucket and to read its objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.s3.client import ERRORS, Access, code, connect, unavailable
from closewatch.sources.store import Gone

CHUNK = 16 * 1024 * 1024
"""Bytes of one ranged request."""
TRIES = 3
"""So often a chunk is asked for whose transfer breaks off."""
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
Need = Callable[[], object]


class Item(NamedTuple):
    """An object; `name` is below the prefix, `modified` in Unix seconds."""

    name: str
    size: int
    modified: float
    tag: str
    readable: bool = True


class Tree:
    """The objects below a prefix. The login is read anew for each listing."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session = Session()
        self._client: Any = None

    def connect(self) -> None:
        """Log in with the secrets as they are now. Raises Unavailable."""
        self.close()
        try:
            self._client = connect(self._session, self._access)
        except ERRORS as error:
            raise unavailable(error) from None

    def folders(self, below: str, need: Need) -> Iterator[str]:
        """The names of the folders right below. Raises Unavailable."""
        for page in self._pages({"Prefix": self._access.prefix + below, "Delimiter": "/"}, need):
            for one in page.get("CommonPrefixes") or ():
                yield str(one["Prefix"]).removeprefix(self._access.prefix + below).rstrip("/")

    def items(self, below: str, need: Need, after: str = "") -> Iterator[Item]:
        """The objects whose names begin with `below`, in order, those after a name alone. Raises Unavailable."""
        ask = {"Prefix": self._access.prefix + below, **({"StartAfter": self._access.prefix + after} if after else {})}
        for page in self._pages(ask, need):
            for one in page.get("Contents") or ():
                name = str(one["Key"]).removeprefix(self._access.prefix)
                readable = one.get("StorageClass") not in ARCHIVED
                yield Item(name, int(one["Size"]), one["LastModified"].timestamp(), str(one.get("ETag", "")), readable)

    def chunks(self, item: Item, need: Need) -> Iterator[bytes]:
        """The content of an object, which must still be the one that was listed. Raises Gone, Unavailable."""
        at = 0
        while at < item.size:
            need()
            part = self._chunk(item, at, min(CHUNK, item.size - at))
            at += len(part)
            yield part

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _pages(self, ask: dict[str, Any], need: Need) -> Iterator[Any]:
        if self._client is None:
            self.connect()
        while True:
            need()
            try:
                page = self._client.list_objects_v2(Bucket=self._access.bucket, **ask)
            except ERRORS as error:
                raise unavailable(error) from None
            yield page
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated") or not token or token == ask.get("ContinuationToken"):
                return
            ask = {**ask, "ContinuationToken": token}

    def _chunk(self, item: Item, start: int, length: int) -> bytes:
        for left in reversed(range(TRIES)):
            try:
                return self._ranged(item, start, length)
            except ClientError as error:
                if code(error) in {"NoSuchKey", "404", "PreconditionFailed", "412", "InvalidRange", "416"}:
                    raise Gone from None
                raise unavailable(error) from None
            except BotoCoreError as error:
                if not left:
                    raise unavailable(error) from None
            except ERRORS as error:
                raise unavailable(error) from None
        raise AssertionError

    def _ranged(self, item: Item, start: int, length: int) -> bytes:
        answer = self._client.get_object(
            Bucket=self._access.bucket,
            Key=self._access.prefix + item.name,
            Range=f"bytes={start}-{start + length - 1}",
            **({"IfMatch": item.tag} if item.tag else {}),
        )
        with answer["Body"] as body:
            if start and not answer.get("ContentRange"):
                raise Unavailable(Reason.INVALID_ANSWER, "the server ignores ranges")
            found = bytes(body.read(length))
        if len(found) != length:
            raise Gone
        return found
