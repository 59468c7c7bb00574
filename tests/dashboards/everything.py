"""Pages for Prometheus to scrape with every declared metric on them, of a healthy and of a failing target of each kind.

Scraped under two addresses they look like two closewatch processes: a query that finds nothing, or stumbles over what
it finds twice, is wrong.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.contract.tree import Declared, declarations

PLACE = {"environment": "production", "cell": "cell-1"}
TARGETS: dict[str, dict[str, str]] = {
    "up-server": {**PLACE, "target": "pg-1", "kind": "postgresql"},
    "up-pooler": {**PLACE, "target": "pooler-1", "kind": "pgbouncer"},
    "down-server": {**PLACE, "target": "pg-2", "kind": "postgresql"},
    "up-database": {**PLACE, "target": "acme", "tenant": "acme", "kind": "odoo"},
    "up-redis": {**PLACE, "target": "sessions", "kind": "redis"},
    "up-certificates": {**PLACE, "target": "front", "kind": "certificates"},
    "up-backups": {**PLACE, "target": "acme-dumps", "tenant": "acme", "kind": "backups"},
    "up-restores": {**PLACE, "target": "acme-weekly", "tenant": "acme", "kind": "restores"},
    "down-database": {**PLACE, "target": "umbrella", "tenant": "umbrella", "kind": "odoo"},
}
MISSING = {**PLACE, "target": "initech", "tenant": "initech", "kind": "odoo"}  # expected, and nowhere to be found
PROCESS = (
    "closewatch_build_info", "closewatch_config_", "closewatch_target_expected", "closewatch_discovery_",
    "closewatch_records_", "closewatch_restore_test_coverage_ratio",
)  # fmt: skip
CONCERNS = {"certificate": "certificates", "backup": "backups", "bucket": "backups", "restore": "restores"}
"""The kind of target that has a family, by the word after closewatch, where they differ."""
VALUES = {
    "activity": ("ordinary", "maintenance"),
    "collector": ("good", "bad"),
    "state": ("active", "idle", "waiting", "good", "bad"),
    "operation": ("read", "write"),
    "role": ("primary", "unreachable"),
    "status": ("reserved", "lost"),
    "privilege": ("superuser", "createdb"),
    "risk": ("trust", "md5"),
    "encrypted": ("yes", "no"),
    "holder": ("tenant", "other"),
    "phase": ("rta", "total"),
    "backups": ("acme-dumps",),
    "pair": ("acme-dumps",),
}


class Everything:
    """Serves the pages on loopback. `page` of a path is its text now."""

    def __init__(self, root: Path) -> None:
        self.families = [found for found in declarations(root) if isinstance(found, Declared)]

    def __enter__(self) -> Self:
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = "\n".join(pages.page(self.path.strip("/"))).encode() + b"\n"
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.port = self._server.server_port
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def page(self, name: str) -> Iterator[str]:
        """The exposition of a target, or of the process, with what Prometheus says of itself."""
        if name == "process":
            yield f'prometheus_rule_evaluation_failures_total{{rule_group="x.yml;closewatch-odoo"}} {time.time()}'
            yield f"prometheus_notifications_dropped_total {time.time()}"
        for family in self.families:
            if name == "process" and family.name.startswith(PROCESS):
                yield from self._process(family)
            elif name in TARGETS and not family.name.startswith(PROCESS):
                yield from self._target(family, name)

    def _process(self, family: Declared) -> Iterator[str]:
        places: list[dict[str, str]] = [{}]
        if "kind" in (family.labels or ()):
            places = [*TARGETS.values(), MISSING]
        for place in places:
            yield _line(family, {**dict.fromkeys(family.labels or (), "1.0"), **place})

    def _target(self, family: Declared, name: str) -> Iterator[str]:
        place, up = TARGETS[name], name.startswith("up")
        concern = family.name.split("_")[1]
        concern = CONCERNS.get(concern, concern)
        own = {"postgresql", "odoo", "pgbouncer", "redis", "certificates", "backups", "restores"}
        if concern in own and (concern != place["kind"] or not up):
            return
        if family.name == "closewatch_target_failure" and up:
            return
        if family.name == "closewatch_unwatched" and (place["kind"], up) != ("postgresql", True):
            return
        own = [label for label in family.labels or () if label != "kind"]
        for values in itertools.product(*(VALUES.get(label, ("one", "two")) for label in own)):
            labels = dict(zip(own, values, strict=True))
            failing = not up or labels.get("collector") == "bad"
            if family.name == "closewatch_collector_failure" and not failing:
                continue
            fails = family.name in {"closewatch_target_up", "closewatch_collector_success"} and failing
            target = place if "kind" in (family.labels or ()) else {k: v for k, v in place.items() if k != "kind"}
            yield _line(family, {**labels, **target}, 0 if fails else None)


def _line(family: Declared, labels: dict[str, str], value: float | None = None) -> str:
    if value is None:
        value = 1
        if family.name.endswith("_timestamp_seconds"):
            value = time.time() - 600
        elif family.name.endswith("_total"):
            value = time.time()
    pairs = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{family.name}{{{pairs}}} {value}"
