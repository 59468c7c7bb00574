"""What the benchmarks share: real servers, Odoo-like databases, closewatch as a process, the CPU time of processes.

An Odoo-like database has the operational tables that closewatch reads and as many others as a real one: what an
exporter does for each table or index shows only with hundreds of them.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil
import yaml

from closewatch.engines.binaries import PostgresBinaries, client_program, newest_postgres
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import EngineError, Process

ROOT = Path(__file__).resolve().parent.parent
GRANTS = ROOT / "exporters" / "closewatch"
ODOO = ROOT / "exporters" / "closewatch" / "demo" / "odoo.sql"
ROLE = "closewatch"
_TICK = os.sysconf("SC_CLK_TCK")


def new_server(run: RunFolder, name: str, **settings: str) -> PostgresServer:
    """A running server of the newest version at hand, with the role that closewatch logs in as."""
    binaries: PostgresBinaries = newest_postgres()
    server = PostgresServer.create(run, binaries, name, settings).start()
    _psql(run, server, "postgres", GRANTS / "postgresql" / "grants.sql")
    server.sql("postgres", f"ALTER ROLE {ROLE} PASSWORD 'closewatch'")
    return server


def odoo_database(run: RunFolder, server: PostgresServer, name: str, tables: int) -> None:
    """A database with Odoo's operational tables, `tables` more with two indexes each, and closewatch's grants."""
    server.create_database(name)
    server.sql(name, ODOO.read_text(encoding="utf-8"))
    for number in range(tables):
        table = f"model_{number}"
        server.sql(
            name,
            f"CREATE TABLE {table} (id serial PRIMARY KEY, name varchar, company_id integer, write_date timestamp);"
            f"CREATE INDEX ON {table} (company_id);"
            f"INSERT INTO {table} (name, company_id) SELECT 'row ' || n, 1 FROM generate_series(1, 20) n",
        )
    _psql(run, server, name, GRANTS / "odoo" / "grants.sql")
    server.sql(name, "ANALYZE")


def _psql(run: RunFolder, server: PostgresServer, database: str, file: Path) -> None:
    psql = str(client_program("psql", server.major))
    environment = {"PGPASSWORD": server.password, "PGOPTIONS": "-c client_min_messages=warning"}
    done = run.call([psql, "-Xqf", str(file), server.dsn(database, password="")], env=environment, timeout=60)
    if done.returncode:
        raise EngineError(f"{file.name}: {done.stderr.strip()}")


class Closewatch:
    """`closewatch serve` with a configuration, in a process of its own."""

    def __init__(self, run: RunFolder, targets: Iterable[Mapping[str, Any]], name: str = "closewatch") -> None:
        config = run.path / f"{name}.yml"
        secret = run.path / f"{name}.password"
        secret.write_text("closewatch", encoding="utf-8")
        listed = [
            {"user": ROLE, "password": {"file": str(secret)}, **target} if "hosts" in target else dict(target)
            for target in targets
        ]
        config.write_text(yaml.safe_dump({"environment": "bench", "targets": listed}), encoding="utf-8")
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        command = [
            sys.executable,
            "-m",
            "closewatch",
            "serve",
            str(config),
            "--web.listen-address",
            f"{HOST}:{self.port}",
        ]
        self.process: Process = run.spawn(name, [*command, "--log-level", "warning"])
        self.process.wait_ready(lambda: answers(f"{self.url}/-/ready"), timeout=30)


def answers(url: str) -> bool:
    """Whether the address gives 200."""
    try:
        fetch(url)
    except OSError:
        return False
    return True


def fetch(url: str, timeout: float = 10.0) -> str:
    """The body at an address, asked as Prometheus asks."""
    request = urllib.request.Request(url, headers={"X-Prometheus-Scrape-Timeout-Seconds": f"{timeout:g}"})
    with urllib.request.urlopen(request, timeout=timeout + 5) as answer:
        body: bytes = answer.read()
    return body.decode()


def series(exposition: str) -> int:
    """How many samples a scrape gave."""
    return sum(1 for line in exposition.splitlines() if line and not line.startswith("#"))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of all its children, those that ended included; /proc counts it in 1/100 s."""
    processes = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return sum(_cpu_of(process) for process in processes)


def _cpu_of(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0  # it ended meanwhile: its parent has its time
    # Fields are counted after the program's name, which may hold spaces: utime, stime, and those of ended children.
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK
