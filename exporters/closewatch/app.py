"""closewatch as a service: the registry behind HTTP. Prometheus is the scheduler; only discovery keeps itself fresh."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import PROCESS_COLLECTOR

from closewatch import __version__
from closewatch.core import meta
from closewatch.core.deadline import Deadline
from closewatch.core.exposition import Labelled, exposition
from closewatch.core.families import Sample
from closewatch.core.problems import ConfigError
from closewatch.core.scrape import Scrape
from closewatch.core.web import Request, Response, Route
from closewatch.explain import explain
from closewatch.kinds import load
from closewatch.overview import overview
from closewatch.registry import Registry

log = structlog.get_logger(__name__)

DEFAULT_TIMEOUT = 10.0
LONGEST_TIMEOUT = 120.0
MARGIN = 0.5
"""Seconds before Prometheus gives up by which the answer is sent; a fifth of short time-outs."""
AT_ONCE = 20
"""The most targets that `/metrics/targets` asks in one scrape."""
DISCOVERY_AGE = 60.0
TEXT = "text/plain; charset=utf-8"


class App:
    """The routes and what is behind them.

    `allow_reload` opens `POST /-/reload`. `web_config_ok` tells whether the newest web configuration is in use.
    """

    def __init__(self, path: Path, *, allow_reload: bool = False) -> None:
        self.path = path
        self.allow_reload = allow_reload
        self.registry = Registry(load(path))
        self._reload = threading.Lock()
        self._reloaded = time.time()
        self._reload_ok = True
        self.web_config_ok: Callable[[], bool] = lambda: True
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._refresher = threading.Thread(target=self._refresh, name="discovery", daemon=True)

    def start(self) -> None:
        """Begin to keep discovery fresh; the service is ready after the first round."""
        self._refresher.start()

    def stop(self) -> None:
        """End the background work and let go of all sessions."""
        self._stop.set()
        self.registry.close()

    def reload(self) -> bool:
        """Take the configuration up again; a bad one is logged and the old one stays."""
        with self._reload:
            try:
                registry = Registry(load(self.path), self.registry)
            except ConfigError as error:
                for problem in error.problems:
                    log.warning("config_problem", problem=str(problem))
                self._reload_ok = False
                return False
            old, self.registry = self.registry, registry
            registry.use()
            self._reload_ok, self._reloaded = True, time.time()
            threading.Thread(target=old.close, args=(registry,), name="close", daemon=True).start()
            log.info("config_loaded", path=str(self.path), targets=len(registry.scrapes()))
            return True

    def routes(self) -> Mapping[str, Route]:
        """The endpoints by path."""
        return {
            "/": self._page,
            "/metrics": self._metrics,
            "/probe": self._probe,
            "/metrics/targets": self._metrics_targets,
            "/sd": self._sd,
            "/-/healthy": _healthy,
            "/-/ready": self._is_ready,
            "/-/reload": self._reload_route,
        }

    def _refresh(self) -> None:
        """Ask the servers that discover where nobody else did for a while, as at the start."""
        while not self._stop.is_set():
            due = [
                s for s in self.registry.discovering() if s.status is None or time.time() - s.status.at > DISCOVERY_AGE
            ]
            if due:
                with ThreadPoolExecutor(min(8, len(due)), "discover") as threads:
                    for scrape in due:
                        threads.submit(scrape.run, Deadline.after(5.0))
            if not self._ready.is_set():
                self._ready.set()
                log.info("ready", targets=len(self.registry.scrapes()))
            self._stop.wait(5.0)

    def _is_ready(self, _request: Request) -> Response:
        if self._ready.is_set():
            return Response(200, TEXT, b"closewatch is ready.\n")
        return Response(503, TEXT, b"closewatch is listing the databases of its servers.\n")

    def _reload_route(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(405, TEXT, b"use POST\n", {"Allow": "POST"})
        if not self.allow_reload:
            return Response(403, TEXT, b"reload by HTTP is off: start with --web.enable-lifecycle, or send SIGHUP\n")
        if self.reload():
            return Response(200, TEXT, b"reloaded\n")
        return Response(500, TEXT, b"the new configuration is bad, the old one stays: see the log\n")

    def _page(self, request: Request) -> Response:
        files = {"configuration": self._reload_ok, "web configuration": self.web_config_ok()}
        bad = [name for name, ok in files.items() if not ok]
        notes = [f"The newest {name} is bad; an older one is in use. The log says why." for name in bad]
        return overview(self.registry.scrapes(), request, notes)

    def _metrics(self, request: Request) -> Response:
        now = datetime.now(UTC)
        own: list[Sample] = [
            meta.BUILD_INFO(1, version=__version__),
            meta.RELOAD_SUCCESSFUL(self._reload_ok and self.web_config_ok()),
            meta.RELOAD_TIMESTAMP(self._reloaded),
        ]
        groups = [Labelled({}, own), Labelled({}, self.registry.records.samples())]
        groups += [
            Labelled(labels, [meta.COVERAGE(share)]) for labels, share in self.registry.coverage(now.timestamp())
        ]
        for scrape in self.registry.scrapes():
            target = scrape.target
            expected = self.registry.expected(target, now)
            groups.append(Labelled(target.labels, [meta.TARGET_EXPECTED(expected, kind=target.kind)]))
        for scrape in self.registry.discovering():
            listed = scrape.status is not None and not scrape.failing("discovery")
            groups.append(Labelled(scrape.target.labels, [meta.DISCOVERY_SUCCESS(listed, kind=scrape.target.kind)]))
        return _exposed(groups, request, PROCESS_COLLECTOR.collect())

    def _probe(self, request: Request) -> Response:
        name = _only(request, "target")
        if name is None:
            return Response(400, TEXT, b"name one target: /probe?target=NAME; /sd lists them\n")
        found = self.registry.find(name, _only(request, "kind"))
        if not found:
            return Response(404, TEXT, b"no such target; /sd lists them\n")
        if len(found) > 1:
            return Response(400, TEXT, b"several kinds have a target of that name: add &kind=KIND; /sd shows it\n")
        debug = _only(request, "debug") == "true"
        if debug and not (request.authenticated or request.loopback):
            return Response(403, TEXT, b"debug=true is for the authenticated, or on loopback\n")
        scrape = found[0]
        samples = scrape.run(_deadline(request))
        if debug:
            return Response(200, TEXT, explain(scrape, samples).encode())
        return _exposed([Labelled(scrape.target.labels, samples)], request)

    def _metrics_targets(self, request: Request) -> Response:
        scrapes = self.registry.scrapes()
        if len(scrapes) > AT_ONCE:
            words = f"{len(scrapes)} targets are too many for one scrape (at most {AT_ONCE}): use /sd and /probe\n"
            return Response(400, TEXT, words.encode())
        deadline = _deadline(request)
        with ThreadPoolExecutor(max(1, len(scrapes)), "targets") as threads:
            samples = list(threads.map(lambda scrape: scrape.run(deadline), scrapes))
        return _exposed([Labelled(s.target.labels, found) for s, found in zip(scrapes, samples, strict=True)], request)

    def _sd(self, request: Request) -> Response:
        if not self._ready.is_set():
            return self._is_ready(request)  # an empty list would make Prometheus forget the targets that it has
        host = request.headers.get("Host", "")
        if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]{1,255}", host):
            return Response(400, TEXT, b"the request has no usable Host header\n")
        groups = [_sd_group(host, scrape) for scrape in self.registry.scrapes()]
        return Response(200, "application/json", json.dumps(groups).encode())


def _healthy(_request: Request) -> Response:
    return Response(200, TEXT, b"closewatch is healthy.\n")


def _sd_group(host: str, scrape: Scrape) -> dict[str, object]:
    target = scrape.target
    hidden = {"__metrics_path__": "/probe", "__param_target": target.name, "__param_kind": target.kind}
    return {"targets": [host], "labels": {**hidden, "kind": target.kind, **target.labels}}


def _exposed(groups: list[Labelled], request: Request, more: Iterable[Any] = ()) -> Response:
    body, content_type = exposition(groups, request.headers.get("Accept", ""), more)
    return Response(200, content_type, body)


def _only(request: Request, name: str) -> str | None:
    values = request.query.get(name, [])
    return values[0] if len(values) == 1 and values[0] else None


def _deadline(request: Request) -> Deadline:
    """From Prometheus' header, less a margin."""
    try:
        timeout = float(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds", DEFAULT_TIMEOUT))
    except ValueError:
        timeout = DEFAULT_TIMEOUT
    timeout = min(timeout, LONGEST_TIMEOUT) if timeout > 0 else DEFAULT_TIMEOUT
    return Deadline.after(timeout - min(MARGIN, timeout / 5))
