"""The engines that the other tests stand on: they start, they fail as told, and they never stay behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from closewatch.engines import guardian
from closewatch.engines.binaries import PostgresBinaries
from closewatch.engines.folder import PREFIX, RunFolder
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import EngineError, wait_until
from closewatch.engines.proxy import TcpProxy
from tests.fixtures.postgres import Pair, fits

pytestmark = pytest.mark.server

OWNER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have ignored for all in its background
from closewatch.engines.binaries import newest_postgres
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
with RunFolder() as run:
    primary = PostgresServer.create(run, newest_postgres(), "primary").start()
    standby = primary.add_standby("standby").start()
    standby.pause()
    print(run.path, flush=True)
    time.sleep(600)
"""


def test_a_server_answers_with_its_version(postgres_server: PostgresServer) -> None:
    assert int(postgres_server.value("postgres", "SHOW server_version_num")) // 10000 == postgres_server.major


def test_a_wrong_password_is_refused(postgres_server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgres_server.connect(password="wrong")


def test_a_standby_streams(postgres_pair: Pair) -> None:
    postgres_pair.primary.wait_streaming("standby1")
    assert postgres_pair.standby.value("postgres", "SELECT pg_is_in_recovery()") is True


def test_a_frozen_server_is_silent_and_goes_on(new_postgres: Callable[..., PostgresServer]) -> None:
    server = new_postgres()
    with server.connect() as connection:
        server.pause()
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            psycopg.connect(server.dsn(), connect_timeout=2)
        server.resume()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_killed_server_starts_again_on_its_port(new_postgres: Callable[..., PostgresServer]) -> None:
    server = new_postgres(max_connections="21")
    port = server.port
    server.kill()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        server.connect()
    server.start()
    assert (server.port, server.value("postgres", "SHOW max_connections")) == (port, "21")


def test_a_server_that_cannot_start_says_why(new_postgres: Callable[..., PostgresServer]) -> None:
    with pytest.raises(EngineError, match="max_connections"):
        new_postgres(max_connections="many")


def test_a_proxy_counts_round_trips_and_holds_data(
    postgres_server: PostgresServer, tcp_proxy: Callable[[str, int], TcpProxy]
) -> None:
    proxy = tcp_proxy(postgres_server.host, postgres_server.port)
    with psycopg.connect(_through(proxy, postgres_server), autocommit=True) as connection:
        proxy.reset_counts()
        connection.execute("SELECT 1")
        connection.execute("SELECT 2")
        assert proxy.counts.round_trips == 2
        proxy.delay(to_server=0.15, to_client=0.15)
        began = time.monotonic()
        connection.execute("SELECT 3")
        assert time.monotonic() - began >= 0.3
        proxy.delay()


def test_a_proxy_cuts_refuses_and_stops_in_the_middle(
    postgres_server: PostgresServer, tcp_proxy: Callable[[str, int], TcpProxy]
) -> None:
    proxy = tcp_proxy(postgres_server.host, postgres_server.port)
    connection = psycopg.connect(_through(proxy, postgres_server), autocommit=True)
    assert proxy.cut() == 1
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    proxy.refuse()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(_through(proxy, postgres_server))
    proxy.accept()
    with contextlib.closing(psycopg.connect(_through(proxy, postgres_server), autocommit=True)) as connection:
        connection.execute("SELECT 1")
        proxy.reset_counts()
        proxy.stop_answer_after(100)
        connection.pgconn.send_query(b"SELECT repeat('x', 100000)")
        wait_until(lambda: proxy.counts.bytes_to_client == 100, 10, "100 bytes have passed")
        assert connection.pgconn.is_busy()
        proxy.cut()


def test_markers_choose_versions() -> None:
    assert [each for each in (13, 14, 15, 16, 17, 18) if fits(each, ">=14, <17")] == [14, 15, 16]
    with pytest.raises(ValueError, match="not like"):
        fits(15, "16+")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
@pytest.mark.usefixtures("newest_postgres")
def test_nothing_stays_behind_when_the_owner_ends(number: signal.Signals) -> None:
    """Also of a frozen standby, and when the owner can't clean up: then the guardian does."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    assert folder.name.startswith(PREFIX)
    assert len(guardian.processes_of(folder)) > 5
    os.kill(owner.pid, number)
    owner.wait(timeout=30)
    owner.stdout.close()
    wait_until(lambda: not folder.exists() and not _processes_in(folder), 30, f"{folder} is gone")


def test_stale_folders_are_swept_and_living_ones_kept(tmp_path: Path) -> None:
    stale, living = tmp_path / f"{PREFIX}stale", tmp_path / f"{PREFIX}living"
    for folder in (stale, living):
        folder.mkdir()
        (folder / guardian.OWNER).touch()
    with (living / guardian.OWNER).open("r+b") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        assert guardian.sweep_stale(tmp_path, PREFIX, newborn_seconds=0) == [stale]
    assert (stale.exists(), living.exists()) == (False, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only as root does the server run as another user")
def test_programs_that_the_servers_user_cannot_reach_are_copied(
    newest_postgres: PostgresServer, run_folder: RunFolder, tmp_path: Path
) -> None:
    """As with a checkout below /root: its virtual environment holds the programs."""
    tmp_path.chmod(0o700)
    programs = newest_postgres.binaries
    package = programs.path.parents[1]
    shutil.copytree(programs.path.parent, tmp_path / package.name / programs.path.parent.name, symlinks=True)
    if package.with_name(f"{package.name}.libs").exists():
        shutil.copytree(package.with_name(f"{package.name}.libs"), tmp_path / f"{package.name}.libs")
    hidden = PostgresBinaries(tmp_path / programs.path.relative_to(package.parent), programs.version)
    server = PostgresServer.create(run_folder, hidden, "copied").start()
    assert server.binaries.path.is_relative_to(run_folder.path)
    assert server.value("postgres", "SELECT 1") == 1
    server.remove()


def _through(proxy: TcpProxy, server: PostgresServer) -> str:
    return psycopg.conninfo.make_conninfo(server.dsn(), port=proxy.port, host=proxy.host, sslmode="disable")


def _processes_in(folder: Path) -> list[str]:
    """All processes whose working directory lies in the folder, whatever their program."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder) in str((entry / "cwd").readlink()):
                found.append(entry.name)
        except OSError:
            continue
    return found
