"""What a scrape costs: closewatch and postgres_exporter on the same server, in the same run, in turns.

The server is a real PostgreSQL with an Odoo-like database; it is asked on loopback and through a proxy that makes a
round trip take 5 ms. Wall time is the scraper's; CPU time is that of the exporter's process and of all of the
server's processes. postgres_exporter runs with its defaults, connected to the Odoo database as its own documentation
shows.

    python -m bench.exporters [--tables 450] [--rounds 10] [--scrapes 10]

Exit status 1: closewatch took more than a fifth of postgres_exporter's time behind 5 ms, or more CPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.stack import ROLE, Closewatch, answers, cpu_seconds, fetch, new_server, odoo_database, series
from closewatch import __version__
from closewatch.engines.binaries import newest_postgres
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.process import Process
from closewatch.engines.proxy import TcpProxy
from tools.programs import program, version

ROUND_TRIP = 0.005
LIMIT = 1 / 5


@dataclass
class Subject:
    """One way to ask the server, and what it cost."""

    name: str
    urls: list[str]
    process: Process
    samples: int = 0
    wall: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)

    def scrape(self) -> None:
        """Ask once, all addresses one after the other."""
        start = time.perf_counter()
        bodies = [fetch(url) for url in self.urls]
        self.wall.append(time.perf_counter() - start)
        self.samples = sum(map(series, bodies))

    @property
    def cpu(self) -> float:
        """CPU seconds of a scrape, client and server added."""
        return statistics.mean(self.client) + statistics.mean(self.server)


def measure(subjects: list[Subject], server: Process, rounds: int, scrapes: int) -> None:
    """In turns, so that what else happens hits all alike. CPU is read around blocks: its clock ticks slowly."""
    for subject in subjects:
        subject.scrape()
        subject.wall.clear()
    for _ in range(rounds):
        for subject in subjects:
            before = cpu_seconds(subject.process.pid), cpu_seconds(server.pid)
            for _ in range(scrapes):
                subject.scrape()
            after = cpu_seconds(subject.process.pid), cpu_seconds(server.pid)
            subject.client.append((after[0] - before[0]) / scrapes)
            subject.server.append((after[1] - before[1]) / scrapes)


def postgres_exporter(run: RunFolder, name: str, database: str, port: int) -> tuple[Process, str]:
    """A running postgres_exporter that reaches the server by that port, and the address of its metrics."""
    listen = f"{HOST}:{free_port()}"
    secret = f"postgresql://{ROLE}:closewatch@{HOST}:{port}/{database}?sslmode=disable"
    command = [program("postgres_exporter"), f"--web.listen-address={listen}", "--log.level=error"]
    process = run.spawn(name, command, env={"DATA_SOURCE_NAME": secret})
    url = f"http://{listen}/metrics"
    process.wait_ready(lambda: answers(url), timeout=30)
    return process, url


def subjects(run: RunFolder, place: str, port: int) -> list[Subject]:
    """Closewatch and postgres_exporter, both reaching the server by that port."""
    targets: list[dict[str, Any]] = [
        {"kind": "postgresql", "name": "pg", "hosts": [f"{HOST}:{port}"], "tls": {"mode": "disable"}},
        {"kind": "odoo", "name": "acme", "server": "pg", "database": "odoo_acme"},
    ]
    ours = Closewatch(run, targets, f"closewatch-{place}")
    theirs, url = postgres_exporter(run, f"postgres_exporter-{place}", "odoo_acme", port)
    one, other = (f"{ours.url}/probe?target={name}" for name in ("pg", "acme"))
    return [
        Subject("closewatch: the server", [one], ours.process),
        Subject("closewatch: the Odoo database", [other], ours.process),
        Subject("closewatch: both", [one, other], ours.process),
        Subject("postgres_exporter", [url], theirs),
    ]


def table(found: list[Subject]) -> str:
    """One line a subject, times in milliseconds."""
    lines = [f"  {'':32} {'series':>7} {'median':>8} {'p95':>8} {'client CPU':>11} {'server CPU':>11}"]
    for one in found:
        p95 = statistics.quantiles(one.wall, n=20)[-1]
        times = (statistics.median(one.wall), p95, statistics.mean(one.client), statistics.mean(one.server))
        median, high, client, server = (f"{1000 * seconds:.1f}" for seconds in times)
        lines.append(f"  {one.name:32} {one.samples:7} {median:>8} {high:>8} {client:>11} {server:>11}")
    return "\n".join(lines)


def verdict(found: list[Subject], wall_limit: float) -> list[str]:
    """What of the promise isn't kept. A probe is a target's; both probes together are told in the table."""
    ours, theirs = found[0], found[-1]
    ratio = statistics.median(ours.wall) / statistics.median(theirs.wall)
    cpu = ours.cpu / theirs.cpu
    both = theirs.cpu / found[2].cpu
    cpu_parts = f"CPU 1/{1 / cpu:.1f}; both probes: CPU 1/{both:.1f}"
    print(f"  the server's probe, of postgres_exporter's: wall time 1/{1 / ratio:.1f}, {cpu_parts}")
    faults = [f"wall time is {ratio:.2f} of postgres_exporter's, not {wall_limit:g}"] if ratio > wall_limit else []
    return [*faults, f"CPU time is {cpu:.2f} of postgres_exporter's"] if cpu > 1 else faults


def round_trips(proxy: TcpProxy, scrape: Callable[[], None]) -> int:
    """How often one scrape has to wait for the server."""
    proxy.reset_counts()
    scrape()
    return proxy.counts.round_trips


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.exporters", description="What a scrape costs.")
    parser.add_argument("--tables", type=int, default=450, help="tables besides Odoo's operational ones")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--scrapes", type=int, default=10, help="scrapes in a row, by round")
    options = parser.parse_args()
    with RunFolder() as run:
        server = new_server(run, "postgres")
        odoo_database(run, server, "odoo_acme", options.tables)
        assert server.process is not None
        tables = server.value("odoo_acme", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        print(
            f"PostgreSQL {newest_postgres().version}, an Odoo database of {tables} tables; closewatch {__version__},"
            f" postgres_exporter {version('postgres_exporter')}; {options.rounds * options.scrapes} scrapes each;"
            " milliseconds"
        )
        found = subjects(run, "near", server.port)
        measure(found, server.process, options.rounds, options.scrapes)
        print(f"\non loopback\n{table(found)}")
        faults = [f"on loopback: {one}" for one in verdict(found, wall_limit=1)]
        with TcpProxy(server.host, server.port) as proxy:
            proxy.delay(to_server=ROUND_TRIP / 2, to_client=ROUND_TRIP / 2)
            found = subjects(run, "far", proxy.port)
            measure(found, server.process, options.rounds, options.scrapes)
            print(f"\nbehind a round trip of {1000 * ROUND_TRIP:g} ms\n{table(found)}")
            faults += [f"behind 5 ms: {one}" for one in verdict(found, LIMIT)]
            trips = [round_trips(proxy, one.scrape) for one in found]
            print("  round trips: " + ", ".join(f"{one.name} {trip}" for one, trip in zip(found, trips, strict=True)))
    print("".join(f"\nNOT KEPT {one}" for one in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
