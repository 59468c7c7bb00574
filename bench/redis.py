"""What a scrape of Redis costs: closewatch and redis_exporter on the same server, in the same run, in turns.

The server is a real Valkey or Redis with keys in several databases, clients, and commands in its statistics; it is
asked on loopback. Wall time is the scraper's; CPU time is that of the exporter's process and of the server's.
redis_exporter runs with its defaults.

    python -m bench.redis [--rounds 10] [--scrapes 10]

Exit status 1: more than 1.5 times redis_exporter's wall or CPU time, or more than 80 series.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from pathlib import Path

import redis

import closewatch.redis
from bench.exporters import Subject, measure, table
from bench.stack import Closewatch, answers
from closewatch import __version__
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.process import Process
from closewatch.engines.redis import RedisServer
from tools.programs import program, version

LIMIT = 1.5
MOST_SERIES = 80
ACL = Path(closewatch.redis.__file__).with_name("acl.txt")
USER = "closewatch"
CLIENTS, KEYS, DATABASES = 50, 20_000, 4


def new_server(run: RunFolder) -> RedisServer:
    """A running server with keys, whose weak user has the shipped rights."""
    server = RedisServer(run, name="bench", settings={"slowlog-log-slower-than": "1000"}).start()
    rules = [">closewatch" if rule.startswith(">") else rule for rule in ACL.read_text(encoding="utf-8").split()[2:]]
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", USER, "reset", *rules)
        for database in range(DATABASES):
            with client.pipeline(transaction=False) as batch:
                batch.execute_command("SELECT", database)
                for number in range(KEYS // DATABASES):
                    batch.set(f"session:{number}", "x" * 100, ex=3600)
                batch.execute()
    return server


def crowd(server: RedisServer, stack: ExitStack) -> list[redis.Redis]:
    """Clients that are connected while it is measured, each with a few commands of its own."""
    clients = [stack.enter_context(server.client()) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        client.get(f"session:{number}")
        client.incr("counter")
        client.lpush("list", number)
        client.zadd("sorted", {str(number): number})
    return clients


def redis_exporter(run: RunFolder, server: RedisServer) -> Subject:
    """A running redis_exporter with its defaults."""
    listen = f"{HOST}:{free_port()}"
    environment = {"REDIS_ADDR": f"redis://{server.address}", "REDIS_PASSWORD": server.password}
    command = [program("redis_exporter"), f"--web.listen-address={listen}"]
    process: Process = run.spawn("redis_exporter", command, env=environment)
    url = f"http://{listen}/metrics"
    process.wait_ready(lambda: answers(url), timeout=30)
    return Subject("redis_exporter", [url], process)


def verdict(ours: Subject, theirs: Subject) -> list[str]:
    """What of the promise isn't kept."""
    wall = statistics.median(ours.wall) / statistics.median(theirs.wall)
    cpu = ours.cpu / theirs.cpu
    print(f"  of redis_exporter's: wall time {wall:.2f}, CPU {cpu:.2f}")
    faults = [
        f"{what} is {ratio:.2f} of redis_exporter's, not {LIMIT:g}"
        for what, ratio in (("wall time", wall), ("CPU time", cpu))
        if ratio > LIMIT
    ]
    return faults if ours.samples <= MOST_SERIES else [*faults, f"{ours.samples} series, not {MOST_SERIES}"]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.redis", description="What a scrape of Redis costs.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--scrapes", type=int, default=10, help="scrapes in a row, by round")
    options = parser.parse_args()
    with RunFolder() as run, ExitStack() as stack:
        server = new_server(run)
        assert server.process is not None
        crowd(server, stack)
        print(
            f"{server.binary}, {KEYS} keys, {CLIENTS} clients; closewatch {__version__}, redis_exporter"
            f" {version('redis_exporter')}; {options.rounds * options.scrapes} scrapes each; milliseconds"
        )
        target = {"kind": "redis", "name": "r", "use": "sessions", "hosts": [server.address]}
        process = Closewatch(run, [target])
        ours = Subject("closewatch", [f"{process.url}/probe?target=r"], process.process)
        theirs = redis_exporter(run, server)
        measure([ours, theirs], server.process, options.rounds, options.scrapes)
        print(table([ours, theirs]))
        faults = verdict(ours, theirs)
    print("".join(f"NOT KEPT {one}\n" for one in faults), end="")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
