"""Basic auth with bcrypt hashes, without giving anything away and without being a lever against the machine.

Bcrypt is slow on purpose: a hash costs about 60 ms. So what was right is remembered for some minutes (as a keyed
digest, never the password), wrong passwords are checked one at a time at half speed, and an unknown user costs as
much as a known one.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

import bcrypt

RIGHT_SECONDS = 300.0
WRONG_SECONDS = 60.0
REMEMBERED = 1_000
WAIT_SECONDS = 5.0
QUEUE = 32
"""Logins that may wait for their turn, each with its thread."""
_BCRYPT_BYTES = 72
_MAX_LOGIN = 2_000


class Verdict(enum.Enum):
    """Whether a login is right. BUSY: too many others are being checked."""

    RIGHT = "right"
    WRONG = "wrong"
    BUSY = "busy"


class _Remembered:
    """Digests of logins, the latest; each for some time after it was last used."""

    def __init__(self, seconds: float, clock: Callable[[], float], *, extend: bool) -> None:
        self._seconds = seconds
        self._clock = clock
        self._extend = extend
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def has(self, digest: bytes) -> bool:
        now = self._clock()
        with self._lock:
            until = self._until.get(digest, 0.0)
            if until > now and self._extend:
                self._until[digest] = now + self._seconds
                self._until.move_to_end(digest)
        return until > now

    def add(self, digest: bytes) -> None:
        with self._lock:
            self._until[digest] = self._clock() + self._seconds
            self._until.move_to_end(digest)
            while len(self._until) > REMEMBERED:
                self._until.popitem(last=False)


class BasicAuth:
    """Checks logins against bcrypt hashes by user."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        check: Callable[[bytes, bytes], bool] = bcrypt.checkpw,
        wait_seconds: float = WAIT_SECONDS,
        rest: Callable[[float], object] | None = None,
    ) -> None:
        self._clock = clock
        self._check = check
        self._wait_seconds = wait_seconds
        self._rest = rest or threading.Event().wait
        self._key = secrets.token_bytes(32)
        # In use, what is right stays remembered: who scrapes doesn't stand in line behind who guesses.
        self._right = _Remembered(RIGHT_SECONDS, clock, extend=True)
        self._wrong = _Remembered(WRONG_SECONDS, clock, extend=False)
        self._queue = threading.Semaphore(QUEUE)
        self._one_at_a_time = threading.Semaphore(1)

    def verdict(self, authorization: str | None, users: Mapping[str, str]) -> Verdict:
        """Whether the header holds a right login."""
        login = _login(authorization)
        if login is None or not users:
            return Verdict.WRONG
        user, password = login
        stored = users.get(user)
        hashed = (stored or self._decoy(user, users)).encode()
        digest = self._digest(user.encode(), hashed, password, b"known" if stored else b"unknown")
        if (known := self._known(digest)) is not None:
            return known
        if not self._queue.acquire(blocking=False):
            return Verdict.BUSY
        try:
            return self._in_turn(password, hashed, digest, known=stored is not None)
        finally:
            self._queue.release()

    def _known(self, digest: bytes) -> Verdict | None:
        if self._right.has(digest):
            return Verdict.RIGHT
        return Verdict.WRONG if self._wrong.has(digest) else None

    def _in_turn(self, password: bytes, hashed: bytes, digest: bytes, *, known: bool) -> Verdict:
        if not self._one_at_a_time.acquire(timeout=self._wait_seconds):
            return Verdict.BUSY
        try:
            return self._known(digest) or self._compare(password, hashed, digest, known=known)
        finally:
            self._one_at_a_time.release()

    def _compare(self, password: bytes, hashed: bytes, digest: bytes, *, known: bool) -> Verdict:
        begun = self._clock()
        try:
            matches = self._check(password[:_BCRYPT_BYTES], hashed)
        except ValueError:
            matches = False
        if matches and known:
            self._right.add(digest)
            return Verdict.RIGHT
        self._wrong.add(digest)
        self._rest(self._clock() - begun)  # as long again, with the turn kept: half of one core at most
        return Verdict.WRONG

    def _digest(self, *parts: bytes) -> bytes:
        """The stored hash is in it: who changes a password ends what was remembered of the old one."""
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, framed, hashlib.sha256)

    def _decoy(self, user: str, users: Mapping[str, str]) -> str:
        """A real user's hash for an unknown one, always the same, so that its cost tells nothing either."""
        number = int.from_bytes(self._digest(b"decoy", user.encode())[:8], "big")
        return sorted(users.values())[number % len(users)]


def _login(authorization: str | None) -> tuple[str, bytes] | None:
    scheme, _, coded = (authorization or "").partition(" ")
    if scheme.lower() != "basic" or len(coded) > _MAX_LOGIN:
        return None
    try:
        user, colon, password = base64.b64decode(coded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
