"""A PostgreSQL cluster that an operator runs in Kubernetes: asked as itself, and about itself, at the same time.

What the operator says of it must be there when the cluster is not, and a slow API must not keep the cluster's own
answers waiting: so each is asked on its own, and neither's failure is the other's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from closewatch.core.collectors import Answer, Collector
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.source import Outcome, Reply
from closewatch.sources.kubernetes.api import Kubernetes
from closewatch.sources.kubernetes.query import CustomObject
from closewatch.sources.postgresql.access import Access
from closewatch.sources.postgresql.cluster import Cluster

log = structlog.get_logger(__name__)

LIMIT = 3.0
"""Seconds that the API may take, and no more than half of what a scrape has."""


class OperatedCluster(Cluster):
    """A cluster, and the operator's object about it."""

    def __init__(self, access: Access, api: Kubernetes, namespace: str, name: str) -> None:
        super().__init__(access)
        self.api = api
        self.namespace = namespace
        self.name = name
        self._aside = ThreadPoolExecutor(1, "kubernetes")

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """The cluster's own reply, and the outcomes of those that ask about the object."""
        about = [one for one in collectors if any(isinstance(ask, CustomObject) for ask in one.ask.values())]
        asked = self._aside.submit(self._about, about, deadline.sooner(min(LIMIT, deadline.left() / 2)))
        reply = super().ask([one for one in collectors if one not in about], deadline)
        return Reply({**reply.outcomes, **asked.result()}, reply.down, reply.samples)

    def close(self) -> None:
        """End the held sessions."""
        self._aside.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _about(self, collectors: Sequence[Collector], deadline: Deadline) -> dict[str, Outcome]:
        return {one.name: self._object(one, deadline) for one in collectors}

    def _object(self, collector: Collector, deadline: Deadline) -> Outcome:
        began, at = time.monotonic(), time.time()
        outcome = Outcome()
        try:
            tables = {}
            for name, ask in collector.ask.items():
                found = self.api.object(deadline, ask.group, ask.version, ask.plural, self.namespace, self.name)
                tables[name] = [{"object": found}]
            outcome.answers.append(Answer(tables, 0, at))
        except Unavailable as failure:
            outcome.failure = failure
        except Exception:
            log.exception("operator_not_read", cluster=self.name)  # in a thread of its own nobody would hear of it
            outcome.failure = Unavailable(Reason.ERROR)
        outcome.seconds = time.monotonic() - began
        return outcome
