"""How places with certificates are asked: endpoints all at once, files beside them, within one deadline.

No place keeps another from being read: each gives what it has, or its own reason. So the target as a whole is never
down; what can't be read is told place by place.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from closewatch.core.collectors import Answer, Collector
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret
from closewatch.core.source import Outcome, Reply
from closewatch.sources.certificates.acme import AcmeFile
from closewatch.sources.certificates.facts import Bundle, fitness
from closewatch.sources.certificates.files import Files
from closewatch.sources.certificates.parse import parse
from closewatch.sources.certificates.places import Endpoint, Found, Names, SecretPlace
from closewatch.sources.certificates.read import ReadFile, read_file
from closewatch.sources.certificates.staple import staple_problems
from closewatch.sources.certificates.tls import Served, fetch
from closewatch.sources.certificates.trust import Trust
from closewatch.sources.certificates.words import Fault, Problem, Unreadable

log = structlog.get_logger(__name__)

if TYPE_CHECKING:
    from closewatch.sources.kubernetes.api import Kubernetes

ENDPOINT_LIMIT = 5.0
"""Seconds for one endpoint, so that a hung one leaves time to the others."""
PARALLEL = 64
SHARE = 0.9
"""Of the deadline; the rest is for judging what came."""
MAX_CHAIN = 10


@dataclass(frozen=True)
class Places:
    """All that a target watches."""

    endpoints: Sequence[Endpoint] = ()
    files: Sequence[Path] = ()
    ignore: Sequence[str] = ()
    acme: Sequence[Path] = ()
    secrets: Sequence[SecretPlace] = ()
    trust: Sequence[Path] = ()
    password: Secret | None = None
    kubernetes: Kubernetes | None = field(default=None, compare=False)


@dataclass(slots=True)
class _Disk:
    """What was read of the disk: places, and by endpoint the file that it should serve."""

    found: list[Found]
    stored: dict[str, ReadFile] = field(default_factory=dict)


class Certificates:
    """A set of places as one target."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._trust = Trust(places.trust)
        self._files = Files(places.files, places.ignore, places.password)
        self._acme = [AcmeFile(path) for path in places.acme]
        self._hung: frozenset[str] = frozenset()
        self._threads = ThreadPoolExecutor(min(PARALLEL, len(places.endpoints) + 2), "certificates")
        self._disk: Future[_Disk] | None = None

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """Ask every place, where any collector is due; all collectors get the same answer."""
        if not collectors:
            return Reply({})
        began, now = time.monotonic(), time.time()
        rows = list(Names().rows(self._found(deadline.sooner(deadline.left() * SHARE)), now))
        answer = Answer({"main": rows}, asked_at=now)
        seconds = time.monotonic() - began
        return Reply({each.name: Outcome([answer], seconds=seconds) for each in collectors})

    def close(self) -> None:
        """Nothing is held but threads, which end with what they do."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _found(self, deadline: Deadline) -> Iterator[Found]:
        if self._disk is None or self._disk.done():
            self._disk = self._threads.submit(self._read_disk, deadline)
        secrets = self._threads.submit(self._read_secrets, deadline) if self._places.secrets else None
        # Those that hung last time come last.
        order = sorted(self._places.endpoints, key=lambda one: one.name in self._hung)
        asked = [(one, self._threads.submit(_fetch, one, deadline)) for one in order]
        disk = self._from_disk(self._disk, deadline)
        yield from disk.found
        if secrets is not None:
            yield from secrets.result()
        hung: set[str] = set()
        for endpoint, future in asked:
            stored = disk.stored.get(endpoint.name)
            found = self._judged(endpoint, future.result(), stored)
            hung.update([endpoint.name] if found.failure is Reason.TIMEOUT else ())
            yield found
        self._hung = frozenset(hung)

    def _from_disk(self, reading: Future[_Disk], deadline: Deadline) -> _Disk:
        try:
            return reading.result(timeout=deadline.left())
        except FutureTimeout:
            # A network file system that hangs can't be interrupted; the thread is waited for the next time.
            paths = (*self._places.files, *self._places.acme)
            return _Disk([Found("file", str(path), failure=Reason.TIMEOUT) for path in paths])

    def _read_disk(self, deadline: Deadline) -> _Disk:
        """All that is read of the disk, in a thread that may hang."""
        disk = _Disk(list(self._files.read(deadline)))
        for acme in self._acme:
            disk.found += acme.read()
        self._trust.refresh()
        disk.found += [Found("trust", str(path), failure=fault) for path, fault in self._trust.faults.items()]
        for endpoint in self._places.endpoints:
            if endpoint.stored is None:
                continue
            try:
                disk.stored[endpoint.name] = read_file(endpoint.stored, self._places.password)
            except Unreadable as failure:
                disk.found.append(Found("stored", endpoint.name, failure=failure.reason))
        return disk

    def _read_secrets(self, deadline: Deadline) -> list[Found]:
        found: list[Found] = []
        for place in self._places.secrets:
            assert self._places.kubernetes is not None
            try:
                held = self._places.kubernetes.tls_secrets(deadline, place.namespace, place.labels)
            except Unavailable as failure:
                found.append(Found("secret", place.namespace or "all namespaces", failure=failure.reason))
                continue
            if not held:
                found.append(Found("secret", place.namespace or "all namespaces", failure=Fault.NO_CERTIFICATE))
            for secret in held:
                name = f"{secret.namespace}/{secret.name}"
                try:
                    found.append(Found("secret", name, Bundle.of(parse(secret.certificate))))
                except Unreadable as failure:
                    found.append(Found("secret", name, failure=failure.reason))
        return found

    def _judged(self, endpoint: Endpoint, served: Served | Fault | Reason, stored: ReadFile | None) -> Found:
        if not isinstance(served, Served):
            return Found("endpoint", endpoint.name, failure=served)
        chain = served.chain[:MAX_CHAIN]
        problems = self._trust.verify(chain, stored.certificates if stored else ()) | fitness(chain[0], endpoint.hosts)
        if len(served.chain) > MAX_CHAIN:
            problems.add(Problem.TOO_MANY_CERTIFICATES)
        if any(below.issuer != above.subject for below, above in itertools.pairwise(chain)):
            problems.add(Problem.CHAIN_ORDER)
        stapled, until = staple_problems(chain[0], served.staple)
        found = Found("endpoint", endpoint.name, Bundle.of(chain), served.failure, frozenset(problems | stapled))
        found.staple_until = until
        if stored is not None:
            found.stored = (Bundle.of(stored.certificates).fingerprint, stored.written)
        return found


def _fetch(endpoint: Endpoint, deadline: Deadline) -> Served | Fault | Reason:
    if deadline.left() <= 0:
        return Fault.NOT_REACHED
    try:
        return fetch(endpoint, deadline.sooner(ENDPOINT_LIMIT))
    except Unreadable as failure:
        return failure.reason
    except Exception:
        log.exception("handshake_failed", endpoint=endpoint.name)  # one endpoint's fault is not the others'
        return Reason.ERROR
