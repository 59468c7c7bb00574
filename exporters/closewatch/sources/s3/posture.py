"""How a bucket is protected: its configuration, the locks of its newest objects, and what a stranger gets of it.

Each question has an answer of three states: told, not set, or unsure with the reason why. A service that doesn't know
a question, or a login that may not ask it, is unsure: what is denied is not known to be safe. Where the bucket can't be
asked at all (no connection, no login, no bucket), and after two requests in a row that ran into their time, the look
ends. The stranger's requests go to the same endpoint, without a login, for one name each.

Rights: those in docs/guides/security.md. Cost: up to 30 requests and the listing. Source: Amazon S3's API reference;
the differences of Ceph, MinIO and SeaweedFS by their documentation.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.session import Session

from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.s3.client import ERRORS, Access, code, connect, status, unavailable
from closewatch.sources.s3.objects import Objects, Seen, Walk, Walker

NEWEST = 3
"""So many of the newest objects are asked for their locks."""
AGAIN = 3
"""So many that were locked before are asked once more."""
UPLOAD_PAGES = 2
_NOT_SET = {
    "ObjectLockConfigurationNotFoundError",
    "NoSuchObjectLockConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchBucketPolicy",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
    "ReplicationConfigurationNotFoundError",
}
_UNKNOWN_THERE = {"NotImplemented", "MethodNotAllowed", "XNotImplemented"}
_FATAL = {Reason.REFUSED, Reason.UNREACHABLE, Reason.AUTHENTICATION, Reason.TLS, Reason.CLOCK, Reason.SECRET}
_NO_BUCKET = {"NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed"}
_LOST = {Reason.TIMEOUT, Reason.CONNECTION_LOST}
QUESTIONS: Mapping[str, str] = {
    "versioning": "get_bucket_versioning",
    "lock": "get_object_lock_configuration",
    "lifecycle": "get_bucket_lifecycle_configuration",
    "block": "get_public_access_block",
    "policy": "get_bucket_policy_status",
    "ownership": "get_bucket_ownership_controls",
    "acl": "get_bucket_acl",
    "encryption": "get_bucket_encryption",
    "replication": "get_bucket_replication",
}


class Unsure(enum.StrEnum):
    """Why a question has no answer."""

    DENIED = "denied"
    NOT_IMPLEMENTED = "not_implemented"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: a value, or None for "not set"; or unsure."""

    value: Mapping[str, Any] | None = None
    unsure: Unsure | None = None

    @property
    def state(self) -> str:
        """In one word, for the record."""
        if self.unsure is not None:
            return self.unsure.value
        return "not_set" if self.value is None else "told"


@dataclass(frozen=True, slots=True)
class Held:
    """What keeps one object: until when (Unix seconds), by which mode, and a checksum of the whole, where kept."""

    name: str
    until: float | None
    mode: str | None
    hold: bool | None
    checksum: str | None
    unsure: Unsure | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """All that one look saw. `uploads` is None where it could not be asked."""

    answers: Mapping[str, Told]
    objects: Objects
    newest: Sequence[Held]
    before: Sequence[Held]
    uploads: int | None
    texts: Mapping[str, str]


class Asker:
    """Asks one bucket. `need` is called before each request, and raises when it is time to end."""

    def __init__(self, access: Access, need: Callable[[], float]) -> None:
        self._access = access
        self._need = need
        self._session = Session()
        self._client: Any = None
        self._lost = 0
        self._first: Unavailable | None = None
        self._latest: Unavailable | None = None
        self._heard = False
        self._why: dict[str, Unsure] = {}

    def look(
        self,
        ways: Iterable[Walk],
        keep: Callable[[str], bool],
        cursor: str,
        again: Sequence[str],
        read: Callable[[str], bool],
    ) -> Look:
        """Ask everything; `again` names objects locked before, `read` says which kept objects' text is wanted.

        Raises Unavailable where the bucket can't be asked.
        """
        self._client = connect(self._session, self._access)
        try:
            answers = {name: self._ask(call) for name, call in QUESTIONS.items()}
            if answers["policy"].unsure in {Unsure.NOT_IMPLEMENTED, Unsure.UNKNOWN, Unsure.DENIED}:
                answers["policy"] = self._policy_itself(answers["policy"])
            walker = Walker(self._listing, self._access.prefix, lambda name: keep(name) or read(name))
            for way in ways:
                walker.walk(way, cursor)
            seen = walker.found
            if not seen.current and len(self._why) > 1 and self._latest is not None:
                raise self._latest
            for name in ("list_object_versions", "list_objects_v2"):
                answers[name.removeprefix("list_")] = Told({}, self._why.get(name))
            texts = {name: self._text(name) for name in seen.current if read(name)}
            uploads, answers["uploads"] = self._uploads()
            kept = [one for one in seen.current.values() if keep(one.name)]
            newest = sorted(kept, key=lambda one: one.at, reverse=True)[:NEWEST]
            locked = answers["lock"].value is not None or answers["lock"].unsure is not None
            held = [self._held(one.name, locked=locked) for one in newest]
            names = {one.name for one in newest}
            rest = [name for name in again if name in seen.current and name not in names]
            before = [self._held(name, locked=True) for name in rest[:AGAIN]]
            answers["outside"] = self._outside(newest)
            self._nothing_heard()
        finally:
            self._client.close()
        return Look(answers, seen, held, before, uploads, {name: text for name, text in texts.items() if text})

    def _nothing_heard(self) -> None:
        if not self._heard and self._first is not None:
            raise self._first

    def _ask(self, call: str, **more: Any) -> Told:
        self._need()
        try:
            answer = getattr(self._client, call)(Bucket=self._access.bucket, **more)
        except ERRORS as error:
            return Told() if code(error) in _NOT_SET else Told(unsure=self._unsure(error))
        self._lost, self._heard = 0, True
        return Told({name: value for name, value in answer.items() if name != "ResponseMetadata"})

    def _unsure(self, error: Exception) -> Unsure:
        """Why there is no answer to one question. Raises Unavailable where there will be none to any."""
        failure, said = unavailable(error), code(error)
        self._latest, self._first = failure, self._first or failure
        if failure.reason in _FATAL or said in _NO_BUCKET:
            raise failure
        self._lost = self._lost + 1 if failure.reason in _LOST else 0
        if self._lost > 1:
            raise failure
        if said in _UNKNOWN_THERE or status(error) in {405, 501}:
            return Unsure.NOT_IMPLEMENTED
        if failure.reason is Reason.PERMISSION:
            return Unsure.DENIED
        return Unsure.TIMEOUT if failure.reason is Reason.TIMEOUT else Unsure.UNKNOWN

    def _policy_itself(self, status: Told) -> Told:
        """The policy, where the service doesn't judge it."""
        policy = self._ask("get_bucket_policy")
        return status if policy.unsure is not None else policy

    def _listing(self, call: str, ask: Mapping[str, Any]) -> Mapping[str, Any] | None:
        told = self._ask(call, **{name: value for name, value in ask.items() if value})
        if told.unsure is not None:
            self._why[call] = told.unsure
        return told.value

    def _uploads(self) -> tuple[int | None, Told]:
        """How many uploads were begun and never ended; no more than a few pages of them."""
        count, ask = 0, {"Prefix": self._access.prefix} if self._access.prefix else {}
        for _ in range(UPLOAD_PAGES):
            told = self._ask("list_multipart_uploads", **ask)
            if told.value is None:
                return None, told
            count += len(told.value.get("Uploads") or ())
            if not told.value.get("IsTruncated") or not told.value.get("NextKeyMarker"):
                break
            ask |= {
                "KeyMarker": told.value["NextKeyMarker"],
                "UploadIdMarker": told.value.get("NextUploadIdMarker", ""),
            }
        return count, Told({})

    def _held(self, name: str, *, locked: bool) -> Held:
        """Of HEAD, which shows the lock to who may read it; else of the lock's own call."""
        key = self._access.prefix + name
        head = self._ask("head_object", Key=key, ChecksumMode="ENABLED")
        value = head.value or {}
        until, mode = value.get("ObjectLockRetainUntilDate"), value.get("ObjectLockMode")
        hold, unsure = value.get("ObjectLockLegalHoldStatus"), None
        if until is None and locked:
            told = self._ask_lock("get_object_retention", key)
            retention = (told.value or {}).get("Retention") or {}
            until, mode, unsure = retention.get("RetainUntilDate"), retention.get("Mode"), told.unsure
        if hold is None and locked:
            hold = ((self._ask_lock("get_object_legal_hold", key).value or {}).get("LegalHold") or {}).get("Status")
        return Held(
            name,
            until.timestamp() if until else None,
            mode,
            None if hold is None else hold == "ON",
            _checksum(value),
            unsure,
        )

    def _ask_lock(self, call: str, key: str) -> Told:
        """Of an object that was never locked, some services say that the request is not valid."""
        self._need()
        try:
            answer = getattr(self._client, call)(Bucket=self._access.bucket, Key=key)
        except ERRORS as error:
            if code(error) in _NOT_SET | {"InvalidRequest"}:
                return Told()
            return Told(unsure=self._unsure(error))
        return Told(answer)

    def _text(self, name: str) -> str:
        """A small text; empty where it can't be read or is none."""
        self._need()
        try:
            answer = self._client.get_object(Bucket=self._access.bucket, Key=self._access.prefix + name)
            with answer["Body"] as body:
                raw = body.read(4 << 20)
            return bytes(raw).decode()
        except ERRORS as error:
            self._unsure(error)
            return ""

    def _outside(self, newest: Sequence[Seen]) -> Told:
        """What anybody gets: a listing, and the head of one object. Exposed is 200; refused is a 4xx."""
        asks: list[tuple[str, dict[str, Any]]] = [("list_objects_v2", {"Prefix": self._access.prefix, "MaxKeys": 1})]
        asks += [("head_object", {"Key": self._access.prefix + one.name}) for one in newest[:1]]
        stranger = connect(self._session, self._access, unsigned=True)
        refused = 0
        try:
            for call, more in asks:
                self._need()
                try:
                    getattr(stranger, call)(Bucket=self._access.bucket, **more)
                except ERRORS as error:
                    refused += status(error) in {401, 403, 404}
                else:
                    return Told({"exposed": True})
        finally:
            stranger.close()
        return Told({"exposed": False}) if refused == len(asks) else Told(unsure=Unsure.UNKNOWN)


def _checksum(head: Mapping[str, Any]) -> str | None:
    """A checksum of the whole object (not one of its parts' checksums), with its algorithm's name."""
    if head.get("ChecksumType") not in {None, "FULL_OBJECT"}:
        return None
    for name in ("ChecksumSHA256", "ChecksumCRC64NVME", "ChecksumCRC32C", "ChecksumCRC32", "ChecksumSHA1"):
        value = head.get(name)
        if value and "-" not in str(value):
            return f"{name.removeprefix('Checksum').lower()}:{value}"
    return None
