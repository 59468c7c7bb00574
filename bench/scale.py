"""One closewatch process, 500 databases on 10 servers, 20 targets that hang, scraped every 15 s by a real Prometheus.

The servers are real, and small. A database hangs as in life: somebody renames it in a transaction that doesn't end,
and every login waits for it. Prometheus spreads its scrapes as it always does, and measures them; CPU and memory are
closewatch's. Connections to each server are counted 20 times a second.

    python -m bench.scale [--quick] [--hang server]

--hang server: not those, but an eleventh server with 19 databases is frozen (SIGSTOP). --quick: 2 servers, 20
databases, 3 rounds of 3 s, no limits. Exit status 1: a limit isn't kept.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import psutil
import psycopg

from bench.stack import Closewatch, cpu_seconds, new_server, odoo_database
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.engines.prometheus import PrometheusServer

MOST_CONNECTIONS = 3
MOST_SECONDS = 1.0
MOST_CORES = 0.5
MOST_MEMORY = 250e6
MOST_GROWTH = 0.05
TEMPLATE = "odoo_template"


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    servers: int = 10
    databases: int = 50
    hanging: int = 2
    interval: int = 15
    rounds: int = 20


@dataclass(frozen=True)
class Seen:
    """What Prometheus has after the rounds: scrape times, how often a healthy target was said to be down, and why."""

    healthy: list[float]
    hung: list[float]
    asked: int
    wrongly_down: int
    reasons: list[tuple[dict[str, str], float]]


@dataclass
class Watch:
    """What is seen of the process while it runs."""

    process: psutil.Process
    ports: dict[int, str]
    most: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def connections(self) -> None:
        """Count, 20 times a second, until `ended`."""
        while not self.ended.wait(0.05):
            with contextlib.suppress(psutil.Error):
                open_ = Counter(
                    self.ports[one.raddr.port]
                    for one in self.process.net_connections("tcp")
                    if getattr(one.raddr, "port", None) in self.ports and one.status in {"ESTABLISHED", "SYN_SENT"}
                )
                for server, count in open_.items():
                    self.most[server] = max(self.most[server], count)


def make_servers(run: RunFolder, size: Size, first: int = 0) -> list[PostgresServer]:
    """Servers with small databases, all copies of one template."""
    servers = []
    for number in range(first, first + size.servers):
        server = new_server(run, f"pg-{number:02}", shared_buffers="16MB", max_connections="40", autovacuum="off")
        odoo_database(run, server, TEMPLATE, tables=5)
        server.sql("postgres", f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false IS_TEMPLATE true")
        for one in range(size.databases):
            server.sql("postgres", f"CREATE DATABASE odoo_t{number:02}x{one:02} TEMPLATE {TEMPLATE} STRATEGY file_copy")
            server.sql("postgres", f"GRANT CONNECT ON DATABASE odoo_t{number:02}x{one:02} TO closewatch")
        servers.append(server)
        print(f"  {server.name}: {size.databases} databases", flush=True)
    return servers


@contextlib.contextmanager
def hanging(servers: list[PostgresServer], count: int) -> Iterator[set[str]]:
    """Databases that nobody can log in to any more, as during a rename that doesn't end; gives their targets' names."""
    names: set[str] = set()
    with contextlib.ExitStack() as stack:
        for number, server in enumerate(servers):
            holder = stack.enter_context(server.connect(autocommit=False))
            for one in range(count):
                name = f"odoo_t{number:02}x{one:02}"
                old, new = psycopg.sql.Identifier(name), psycopg.sql.Identifier(f"{name}_new")
                holder.execute(psycopg.sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new))
                names.add(name)
        yield names


def prometheus_config(url: str, interval: int) -> str:
    """The two jobs of the documentation, at this interval."""
    return f"""
global: {{scrape_interval: {interval}s, scrape_timeout: {min(interval, 10)}s}}
scrape_configs:
  - job_name: closewatch-targets
    honor_labels: true
    metrics_path: /probe
    http_sd_configs: [{{url: "{url}/sd", refresh_interval: 5s}}]
"""


def run_rounds(watch: Watch, size: Size) -> tuple[float, float]:
    """Let the rounds pass; gives the seconds, and the CPU seconds of the process."""
    start, cpu = time.monotonic(), cpu_seconds(watch.process.pid)
    for number in range(1, size.rounds + 1):
        # The length of a round is what is asked for; nothing is waited for here.
        time.sleep(max(0.0, start + number * size.interval - time.monotonic()))
        watch.memory.append(float(watch.process.memory_info().rss))
    return time.monotonic() - start, cpu_seconds(watch.process.pid) - cpu


def look(prometheus: PrometheusServer, seconds: float, slow: set[str]) -> Seen:
    """What Prometheus measured in the last seconds; `slow` are the targets that hang."""
    span = f"[{int(seconds)}s]"
    healthy: list[float] = []
    hung: list[float] = []
    query = f"scrape_duration_seconds{{job='closewatch-targets'}}{span}"
    for one in prometheus.api("query", query=query)["result"]:
        kept = hung if one["metric"].get("target") in slow else healthy
        kept += [float(value) for _, value in one["values"]]
    up = prometheus.api("query", query=f"closewatch_target_up{span}")["result"]
    said = [value for one in up if one["metric"]["target"] not in slow for _, value in one["values"]]
    reasons = prometheus.query("count by (reason) (closewatch_target_failure)")
    return Seen(healthy, hung, len(said), said.count("0"), reasons)


def report(watch: Watch, seen: Seen, seconds: float, cpu: float, size: Size) -> list[str]:
    """Print the figures; gives the limits that aren't kept."""
    percentiles = statistics.quantiles(seen.healthy, n=100)
    late = watch.memory[-min(10, len(watch.memory)) :]
    growth = max(late) / late[0] - 1
    most = max(watch.most.values(), default=0)
    figures = [
        ("healthy targets, p99 of a scrape", f"{percentiles[98]:.3f} s", percentiles[98] < MOST_SECONDS),
        ("healthy targets said to be down", f"{seen.wrongly_down} of {seen.asked}", not seen.wrongly_down),
        ("most connections to a server", f"{most}", most <= MOST_CONNECTIONS),
        ("CPU of closewatch", f"{cpu / seconds:.2f} cores", cpu / seconds < MOST_CORES),
        ("memory of closewatch (RSS)", f"{max(watch.memory) / 1e6:.0f} MB", max(watch.memory) < MOST_MEMORY),
        ("its growth over the last ten rounds", f"{100 * growth:.1f} %", growth <= MOST_GROWTH),
    ]
    scrapes = f"{len(seen.healthy)} scrapes of healthy targets, {len(seen.hung)} of hanging"
    print(f"{size.rounds} rounds in {seconds:.0f} s: {scrapes}")
    print("  not up at the end: " + ", ".join(f"{int(count)} {labels['reason']}" for labels, count in seen.reasons))
    print(f"  {'healthy targets, median of a scrape':38} {percentiles[49]:.3f} s")
    print(f"  {'hanging targets, longest scrape':38} {max(seen.hung, default=0):.3f} s")
    for what, value, kept in figures:
        print(f"  {what:38} {value:12} {'' if kept else 'NOT KEPT'}")
    return [what for what, _, kept in figures if not kept]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="500 databases, one process.")
    parser.add_argument("--quick", action="store_true", help="small and short, to see that it runs")
    parser.add_argument("--hang", choices=("databases", "server"), default="databases", help="what hangs")
    options = parser.parse_args()
    size = Size(servers=2, databases=10, hanging=1, interval=3, rounds=3) if options.quick else Size()
    freeze = options.hang == "server"
    with RunFolder() as run:
        servers = make_servers(run, size)
        faults = measure(run, servers, replace(size, hanging=0) if freeze else size, freeze=freeze)
    return 1 if faults and not options.quick else 0


def measure(run: RunFolder, servers: list[PostgresServer], size: Size, *, freeze: bool) -> list[str]:
    """The run itself, on servers that are there."""
    frozen = make_servers(run, Size(servers=1, databases=19), first=size.servers) if freeze else []
    discover = [{"databases": "^odoo_(?P<tenant>t[0-9]+x[0-9]+)$"}]
    everyone = [*servers, *frozen]
    closewatch = Closewatch(
        run,
        [
            {"kind": "postgresql", "name": one.name, "hosts": [one.address], "discover": discover, "standbys": 0}
            for one in everyone
        ],
    )
    prometheus = PrometheusServer(run, prometheus_config(closewatch.url, size.interval)).start()
    expected = size.servers * (size.databases + 1) + 20 * len(frozen)
    up = "count(closewatch_target_up == 1)"
    wait_until(lambda: (prometheus.value(up) or 0) >= expected, 120, "all targets are up")
    watch = Watch(psutil.Process(closewatch.process.pid), {one.port: one.name for one in everyone})
    counting = threading.Thread(target=watch.connections, daemon=True)
    with hanging(servers, size.hanging) as slow:
        for one in frozen:
            one.pause()
            slow |= {one.name, *(f"odoo_t{size.servers:02}x{number:02}" for number in range(19))}
        print(f"{expected} targets are up; {len(slow)} of them hang from now on", flush=True)
        wait_until(lambda: (prometheus.value("count(closewatch_target_up == 0)") or 0) > 0, 120, "some hang")
        counting.start()
        seconds, cpu = run_rounds(watch, size)
        watch.ended.set()
        counting.join()
        seen = look(prometheus, seconds, slow)
    return report(watch, seen, seconds, cpu, size)


if __name__ == "__main__":
    raise SystemExit(main())
