"""The whole stack of the demo, from the databases to the people who are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from closewatch.demo import shipped
from closewatch.demo.backups import Backups
from closewatch.demo.databases import Databases
from closewatch.demo.delivery import alertmanager_config
from closewatch.demo.front import Front
from closewatch.demo.pooling import Pooling
from closewatch.demo.restores import COVERAGE, Restores
from closewatch.demo.scraping import prometheus_config
from closewatch.demo.sessions import Sessions
from closewatch.demo.thresholds import Threshold, ThresholdPage
from closewatch.demo.watching import Part, Watcher
from closewatch.engines.alertmanager import AlertmanagerServer
from closewatch.engines.binaries import find_all
from closewatch.engines.closing import Closing
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.mail import MailSink
from closewatch.engines.process import EngineError
from closewatch.engines.prometheus import PrometheusServer
from closewatch.engines.sink import Sink

Say = Callable[[str], None]


class Stack(Closing):
    """`with Stack() as stack: stack.start(print)`. What it holds is public: faults reach into it.

    `lowered` are limits that override the rules' own.
    """

    def __init__(self, lowered: Sequence[Threshold] = ()) -> None:
        self._closing = ExitStack()
        self.run = self._closing.enter_context(RunFolder())
        try:
            self.sink = self._closing.enter_context(Sink())
            self.mail = self._closing.enter_context(MailSink())
            self.thresholds = ThresholdPage([*lowered, COVERAGE])
            self._closing.callback(self.thresholds.close)
            self.runbooks = shipped.RunbookPages(self.run.folder("runbooks"))
            self._closing.callback(self.runbooks.close)
            self.databases = Databases(self.run)
            self.front = Front(self.run)
            self.backups = Backups(self.run, self.databases)
            self.sessions = Sessions(self.run)
            self.restores = Restores(self.run, self.backups)
            self.parts: tuple[Part, ...] = (self.databases, self.sessions, self.front, self.backups, self.restores)
            self.pooling = Pooling(self.run, self.databases) if find_all("pgbouncer") else None  # in no wheel
            if self.pooling is not None:
                self.parts = (*self.parts, self.pooling)
            for part in self.parts:
                self._closing.callback(part.close)
        except BaseException:
            self._closing.close()
            raise

    def close(self) -> None:
        """End everything, and leave no file."""
        self._closing.close()

    def start(self, say: Say) -> None:
        """Start all parts, saying what is done."""
        for part in self.parts:
            say(f"starting {part.title}")
            part.start()
        say("starting closewatch, Prometheus and Alertmanager")
        self.watcher = Watcher(self.run, self.parts, self.restores.records)
        self.restores.work(self.watcher.config)
        self.watcher.start(wait=False)
        self.alertmanager = self._alertmanager()
        self.alertmanager.wait_ready()
        self.watcher.wait_ready()
        self.prometheus = self._prometheus()  # last: it would call what isn't there yet down
        self.prometheus.wait_ready()

    def unhealthy(self) -> str:
        """What is not yet, or no longer, as it should be; empty when all is well."""
        try:
            up = self.prometheus.query("closewatch_target_up")
            alerts = self.prometheus.alerts()
            broken = [rule["name"] for rule in self.prometheus.rules() if rule.get("lastError")]
        except (OSError, ValueError, KeyError) as error:
            return f"Prometheus does not answer: {error}"
        if broken:
            return f"rules fail: {', '.join(broken)}"
        if len(up) < (expected := sum(part.count for part in self.parts)):
            return f"{len(up)} of {expected} targets are seen"
        if down := [labels["target"] for labels, value in up if value != 1]:
            return f"down: {', '.join(sorted(down))}"
        if alerts:
            return "alerts: " + ", ".join(sorted({str(alert["labels"]["alertname"]) for alert in alerts}))
        return ""

    def wait_healthy(self, timeout: float = 90.0, steady: float = 4.0) -> None:
        """Wait until all is well, and has been for a while. Raises EngineError saying what is not."""
        deadline = time.monotonic() + timeout
        well_since = None
        while True:
            wrong = self.unhealthy()
            well_since = None if wrong else (well_since or time.monotonic())
            if well_since is not None and time.monotonic() - well_since >= steady:
                return
            if time.monotonic() > deadline:
                raise EngineError(f"the stack is not well after {timeout:g} s: {wrong or 'it comes and goes'}")
            time.sleep(0.3)

    def _alertmanager(self) -> AlertmanagerServer:
        secrets = self.run.folder("secrets")
        config = alertmanager_config(shipped.alertmanager_config(), self.sink, self.mail, secrets)
        return AlertmanagerServer(self.run, config, shipped.alertmanager_templates()).start(wait=False)

    def _prometheus(self) -> PrometheusServer:
        port = free_port()
        config = prometheus_config(
            closewatch=self.watcher.address,
            thresholds=self.thresholds.address,
            alertmanager=f"{HOST}:{self.alertmanager.port}",
            itself=f"{HOST}:{port}",
        )
        rules = {f"rules/{name}": text for name, text in shipped.rules(self.runbooks.url).items()}
        return PrometheusServer(self.run, config, rules, port=port).start(wait=False)
