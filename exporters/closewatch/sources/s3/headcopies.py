"""Copies of the signed heads in a bucket with object lock: nobody can delete them there, until their time has come.

Two objects a day, DAY.json and DAY.sig. Source: Amazon S3's API reference, PutObject and GetObjectRetention.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from botocore.session import Session

from closewatch.core.reasons import Unavailable
from closewatch.core.records.copies import LARGEST, Copy, CopyError
from closewatch.sources.s3.client import ERRORS, Access, code, connect, status, unavailable

_UNLOCKED = {"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "InvalidRequest"}


def to_bucket(access: Access, *, days: int | None, locked: bool) -> Copy:
    """A copy never overwrites. `days`: lock each object for so long; `locked`: it counts only where it is locked."""

    def copy(day: str, document: str, signature: str) -> None:
        with _connected(access) as client:
            for name, text in ((f"{day}.json", document), (f"{day}.sig", signature + "\n")):
                version = _put(client, access, name, text, days)
                if locked:
                    _check_lock(client, access, name, version)

    return copy


def in_bucket(access: Access) -> list[tuple[str, str]]:
    """The signed heads of a copy in a bucket, the oldest first. Raises CopyError."""
    with _connected(access) as client:
        there = _there(client, access, "")
        days = sorted(name.removesuffix(".json") for name in there if _is_day(name))
        texts = [[_text(client, access, f"{day}{end}", there) for end in (".json", ".sig")] for day in days]
    if not texts:
        raise CopyError("there are no signed heads (DAY.json and DAY.sig)")
    return [(document, signature.strip()) for document, signature in texts]


@contextlib.contextmanager
def _connected(access: Access) -> Iterator[Any]:
    """A client for the time of the block. Raises CopyError for whatever goes wrong in it."""
    try:
        with contextlib.closing(connect(Session(), access)) as client:
            yield client
    except ERRORS as error:
        raise CopyError(str(unavailable(error))) from None
    except Unavailable as failure:
        raise CopyError(str(failure)) from None


class _Object(NamedTuple):
    """The first version of an object; `version` is None where the bucket keeps none."""

    version: str | None
    size: int
    written: dt.datetime


def _there(client: Any, access: Access, begin: str) -> dict[str, _Object]:
    """The objects whose names begin so, as they were written first: what was put over them later counts for nothing."""
    found: dict[str, _Object] = {}
    pages = client.get_paginator("list_object_versions").paginate(Bucket=access.bucket, Prefix=access.prefix + begin)
    for one in (one for page in pages for one in page.get("Versions") or ()):
        name = str(one["Key"]).removeprefix(access.prefix)
        this = _Object(one.get("VersionId"), int(one["Size"]), one["LastModified"])
        if name not in found or this.written <= found[name].written:  # the newest comes first
            found[name] = this
    return found


def _is_day(name: str) -> bool:
    try:
        return name.endswith(".json") and bool(dt.date.fromisoformat(name.removesuffix(".json")))
    except ValueError:
        return False


def _text(client: Any, access: Access, name: str, there: Mapping[str, _Object]) -> str:
    """An object's text; empty where it isn't there."""
    if name not in there:
        return ""
    if there[name].size > LARGEST:
        raise CopyError(f"{name} is too large for signed heads")
    version = {"VersionId": there[name].version} if there[name].version is not None else {}
    answer = client.get_object(Bucket=access.bucket, Key=access.prefix + name, **version)
    try:
        return bytes(answer["Body"].read()).decode()
    except UnicodeError:
        raise CopyError(f"{name} is no text") from None


def _put(client: Any, access: Access, name: str, text: str, days: int | None) -> str | None:
    """Write what isn't there yet; gives its version."""
    there = _there(client, access, name)
    if name in there:
        if _text(client, access, name, there) == text:
            return there[name].version
        raise CopyError(f"{name} is there already, and is another")
    content = text.encode()
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days or 0)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until} if days is not None else {}
    answer = client.put_object(
        Bucket=access.bucket,
        Key=access.prefix + name,
        Body=content,
        ContentMD5=base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        **lock,
    )
    version: str | None = answer.get("VersionId")
    return version


def _check_lock(client: Any, access: Access, name: str, version: str | None) -> None:
    of = {"VersionId": version} if version is not None else {}
    try:
        found = client.get_object_retention(Bucket=access.bucket, Key=access.prefix + name, **of)
        until = found.get("Retention", {}).get("RetainUntilDate")
    except ERRORS as error:
        if code(error) not in _UNLOCKED and status(error) != 404:  # noqa: PLR2004 - HTTP's
            why = unavailable(error)
            raise CopyError(f"{name} is written; whether it is locked can't be told: {why}") from None
        until = None
    if until is None or until <= dt.datetime.now(dt.UTC):
        raise CopyError(f"{name} is written, but not locked: set lock_days, or give the bucket a default retention")
