"""What a restore test costs beside the bare tool: `pgbackrest restore`, `pg_restore -j`, and `sha1sum` on a filestore.

python -m bench.restores [--rows N] [--rounds N] [--files N]

All in one run, on the same backups, one after the other, the order turned around in each round. Medians of wall time
with their spread, and MB/s of the restored database; verification is printed by phase. The restore phase alone is
compared: the bare tool verifies nothing. What is compared runs with the same number of processes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from closewatch.core.checks import Task
from closewatch.core.deadline import Deadline
from closewatch.drill.ground import DATABASE, Ground
from closewatch.drill.stage import PGBACKREST_KNOWS
from closewatch.engines.binaries import find_postgres
from closewatch.engines.folder import RunFolder
from closewatch.engines.process import wait_until
from closewatch.kinds import load
from closewatch.registry import Registry
from closewatch.restores.verify import filestore
from closewatch.work import jobs_of

JOBS = 2
FILL = """
CREATE TABLE big (id bigint PRIMARY KEY, company int, at timestamptz, name text, amount numeric(16, 2), note text);
INSERT INTO big
SELECT n, n % 7, now() - n * interval '1 second', 'INV/2026/' || n, n % 100000 / 7.0, md5(n::text) || md5((n * 7)::text)
FROM generate_series(1, {rows}) AS n;
CREATE INDEX ON big (company, at);
CREATE INDEX ON big (name);
"""
LIMIT = 1800.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; 0 where the promises hold: 15 % more wall time at most, 70 % of sha1sum at least."""
    parser = argparse.ArgumentParser(prog="python -m bench.restores", description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=30_000)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    versions = [one for one in find_postgres() if one.major <= PGBACKREST_KNOWS]
    pgbackrest = shutil.which("pgbackrest")
    if not versions or pgbackrest is None:
        print("pgbackrest, or a PostgreSQL that it knows, is not at hand", file=sys.stderr)
        return 1
    with RunFolder() as run:
        ground = Ground(run, versions[-1], pgbackrest).start()
        fill(ground, options.rows)
        size = int(ground.server.value(DATABASE, "SELECT sum(pg_database_size(oid)) FROM pg_database"))
        print(
            f"PostgreSQL {ground.server.binaries.version}, {size / 1e6:,.0f} MB, {options.rounds} rounds, {JOBS} jobs"
        )
        bench = Bench(run, ground, size)
        ratios = [bench.physical(options.rounds), bench.logical(options.rounds)]
        ground.server.stop()
        ratio = hashing(run, options.files, options.rounds)
    print(f"the whole run took {time.monotonic() - began:.0f} s")
    return 0 if max(ratios) <= 1.15 and ratio >= 0.7 else 1


def fill(ground: Ground, rows: int) -> None:
    """Make the table, and archive none of its WAL: the backup that follows needs none, and it would take minutes."""
    server = ground.server
    server.sql(DATABASE, "ALTER SYSTEM SET archive_command = '/bin/true'")
    server.sql(DATABASE, "SELECT pg_reload_conf()")
    server.sql(DATABASE, FILL.format(rows=rows))
    server.sql(DATABASE, "CHECKPOINT")
    last = str(server.value(DATABASE, "SELECT pg_walfile_name(pg_switch_wal())"))
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    wait_until(lambda: (server.value(DATABASE, archived) or "") >= last, 600, "all WAL is passed over", 1.0)
    server.sql(DATABASE, "ALTER SYSTEM RESET archive_command")
    server.sql(DATABASE, "SELECT pg_reload_conf()")


class Bench:
    """The backups, and both ways to restore them."""

    def __init__(self, run: RunFolder, ground: Ground, size: int) -> None:
        self.run, self.ground, self.size = run, ground, size
        self.scratch = run.path / "scratch"
        self.scratch.mkdir()
        self.scratch.chmod(0o711)
        ground.backrest("backup", "--type=full", f"--process-max={JOBS}")
        self.dumps = run.folder("dumps")
        program = str(ground.server.binaries.program("pg_dump"))
        command = [
            program,
            "-Fd",
            f"-j{JOBS}",
            "-f",
            str(self.dumps / "books"),
            ground.server.dsn(DATABASE, password=""),
        ]
        subprocess.run(command, env={**os.environ, "PGPASSWORD": ground.server.password}, check=True)
        subprocess.run(["chmod", "-R", "a+rX", str(self.dumps)], check=True)
        time.sleep(1.2)  # until the dump has settled

    def physical(self, rounds: int) -> float:
        """PgBackRest."""
        origin = {"pgbackrest": {"stanza": "main", "config": str(self.ground.config)}}
        plan = {"origin": origin, "jobs": JOBS, "amcheck": "all", "expect": {"odoo": False}}
        return self._compare("pgbackrest restore", self._bare_pgbackrest, plan, rounds)

    def logical(self, rounds: int) -> float:
        """pg_restore."""
        origin = {"dump": {"folder": {"path": str(self.dumps), "settle": 1}}}
        plan = {"origin": origin, "jobs": JOBS, "database": DATABASE, "expect": {"odoo": False}, "amcheck": "all"}
        return self._compare(f"pg_restore -j {JOBS}", self._bare_pg_restore, plan, rounds)

    def _compare(self, name: str, bare: Callable[[], float], plan: dict[str, Any], rounds: int) -> float:
        bares, ours, phases = [], [], list[dict[str, int]]()
        for number in range(rounds):
            for which in ("bare", "ours") if number % 2 == 0 else ("ours", "bare"):
                os.sync()  # what the round before left to be written is not this one's
                if which == "bare":
                    bares.append(bare())
                else:
                    phases.append(self._ours(plan))
                    ours.append(phases[-1]["restore"] / 1000)
        a, b = statistics.median(bares), statistics.median(ours)
        print(f"\n{name}: bare {a:.1f} s, {self.size / a / 1e6:.0f} MB/s; the restore phase of a test {b:.1f} s,"
              f" {self.size / b / 1e6:.0f} MB/s; ratio {b / a:.2f}")  # fmt: skip
        print(f"    spread: {min(bares):.1f} to {max(bares):.1f} s and {min(ours):.1f} to {max(ours):.1f} s")
        for phase in phases[-1]:
            took = statistics.median(each.get(phase, 0) for each in phases) / 1000
            rate = f"{self.size / took / 1e6:8.0f} MB/s" if took > 0.05 else ""
            print(f"    {phase:<10} {took:7.2f} s {rate}")
        return b / a

    def _ours(self, plan: dict[str, Any]) -> dict[str, int]:
        settings = {"kind": "restores", "name": "bench", "scratch": str(self.scratch), "disk": 20 * self.size, **plan}
        file = self.run.path / "bench.yml"
        document = {"environment": "bench", "records": {"path": "/nowhere"}, "targets": [{**settings, "limit": LIMIT}]}
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        (job,) = jobs_of(Registry(load(file)))
        verdict = job.check.run(Task(job.target, (), Deadline.after(LIMIT), threading.Event()))
        if verdict.reason is not None:
            raise SystemExit(f"the restore test did not pass: {verdict.reason}: {verdict.payload['wrong']}")
        found: dict[str, int] = verdict.payload["phases_ms"]
        return found

    def _bare_pgbackrest(self) -> float:
        data = self.run.folder(f"bare{time.monotonic_ns()}", private_to=self.run.user)
        command = [str(self.ground.pgbackrest), f"--config={self.ground.config}", "--stanza=main"]
        command += [f"--pg1-path={data}", "--type=none", f"--process-max={JOBS}", "restore"]
        began = time.monotonic()
        self._call(command)
        took = time.monotonic() - began
        shutil.rmtree(data)
        return took

    def _bare_pg_restore(self) -> float:
        """Into a server of the same settings as the throwaway one, started before the clock."""
        from closewatch.restores.scratch import Scratch
        from closewatch.restores.server import Server

        def nothing(_phase: str, _share: float | None) -> None:
            return

        with Scratch.create(
            self.scratch, disk=20 * self.size, deadline=Deadline.after(LIMIT), stop=threading.Event(), progress=nothing
        ) as scratch:
            server = Server.new(scratch, self.ground.server.major)
            server.start()
            server.create_database(DATABASE)
            command = [
                server.program("pg_restore"),
                "-h",
                str(server.socket),
                "-p",
                str(server.port),
                "-U",
                server.admin,
            ]
            began = time.monotonic()
            self._call([*command, f"-j{JOBS}", "--no-owner", "-d", DATABASE, str(self.dumps / "books")])
            took = time.monotonic() - began
            server.stop()
        return took

    def _call(self, command: Sequence[str]) -> None:
        done = self.run.call(command, user=self.run.user, timeout=LIMIT)
        if done.returncode:
            raise SystemExit(f"{command[0]}: {done.stderr}{done.stdout}")


def hashing(run: RunFolder, count: int, rounds: int) -> float:
    """A filestore of so many files, by `sha1sum` and by the verification, with as many processes; MB/s of both."""
    root = run.path / "filestore"
    numbers, rows, total = random.Random(5), list[tuple[str, str, int, bool]](), 0
    for _ in range(count):
        import hashlib

        data = numbers.randbytes(int(numbers.lognormvariate(10.5, 1.4)) % 4_000_000 + 1)
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        path = root / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        rows.append((f"{digest[:2]}/{digest}", digest, len(data), False))
        total += len(data)
    rows.sort()
    with tempfile.NamedTemporaryFile("w", suffix=".list") as names:
        names.writelines(f"{root / row[0]}\0" for row in rows)
        names.flush()
        bares, ours = [], []
        for _ in range(rounds):
            bares.append(_timed(lambda: _sha1sum(names.name)))
            ours.append(_timed(lambda: _verified(rows, root)))
    a, b = statistics.median(bares), statistics.median(ours)
    print(f"\nfilestore, {count:,} files, {total / 1e6:,.0f} MB, {JOBS} processes: sha1sum {total / a / 1e6:.0f} MB/s,"
          f" verification {total / b / 1e6:.0f} MB/s; {a / b:.0%}")  # fmt: skip
    return a / b


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _sha1sum(names: str) -> None:
    with open(names, "rb") as given:  # noqa: PTH123 - a child's standard input
        command = ["xargs", "-0", "-n", "500", "-P", str(JOBS), "sha1sum"]
        subprocess.run(command, stdin=given, stdout=subprocess.DEVNULL, check=True)


def _verified(rows: Sequence[tuple[str, str, int, bool]], root: Path) -> None:
    found = filestore.check(rows, root, lambda: None, processes=JOBS)
    if not found.complete:
        raise SystemExit(f"the filestore is not complete: {found.words}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        raise SystemExit(main())
