"""The throwaway server: on data of other people's making, it starts, is alone, and says why where it doesn't."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.engines.binaries import PostgresBinaries
from closewatch.engines.datafolder import reachable
from closewatch.restores.cluster import binaries_for
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.restores.why import Failed, Why


@pytest.fixture
def cluster(scratch: Scratch, postgres_version: PostgresBinaries) -> Callable[..., Path]:
    """Makes a data folder as it might come out of a backup: `cluster("-U", "boss")`."""

    def make(*more: str) -> Path:
        program = reachable(scratch.engines, postgres_version).path / "initdb"
        ran = scratch.run(
            [str(program), "-D", str(scratch.data), "--no-sync", "--locale=C", *(more or ("-U", "postgres"))]
        )
        assert ran.code == 0, ran.err
        return scratch.data

    return make


def started(scratch: Scratch) -> Server:
    server = Server.on(scratch, {})
    server.start()
    return server


@pytest.mark.pg("<=15")
def test_a_superuser_of_another_name_is_found(scratch: Scratch, cluster: Callable[..., Path]) -> None:
    cluster("-U", "the boss")
    server = started(scratch)
    assert server.admin == "the boss"
    assert server.databases() == ["postgres"]


@pytest.mark.pg("<=15")
def test_a_role_postgres_without_rights_is_not_taken(scratch: Scratch, cluster: Callable[..., Path]) -> None:
    cluster("-U", "boss")
    server = started(scratch)
    with server.connect() as connection:
        connection.execute("CREATE ROLE postgres LOGIN")
    server.rest()
    again = Server.__new__(Server)
    again.__dict__.update(server.__dict__, admin="postgres", _asked_for_owner=False)
    again.start()
    assert again.admin == "boss"
    again.stop()


def test_nothing_of_its_own_configuration_is_used(scratch: Scratch, cluster: Callable[..., Path]) -> None:
    data = cluster()
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        (data / name).write_text(
            "listen_addresses = '*'\nprimary_conninfo = 'host=production'\narchive_mode = on\n"
            "archive_command = 'false'\nshared_preload_libraries = 'no_such_library'\nssl = on\nautovacuum = on\n"
            "include = '/etc/no/such/file'\n"
        )
    (data / "pg_hba.conf").write_text("local all all reject\n")
    (data / "standby.signal").touch()
    server = started(scratch)
    names = ("primary_conninfo", "archive_mode", "listen_addresses", "ssl", "shared_preload_libraries", "autovacuum")
    with server.connect() as connection:
        found = {name: connection.execute(f"SHOW {name}").fetchone() for name in names}
        recovers = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    server.stop()
    off = ("off",)
    assert found == {**dict.fromkeys(names, off), **dict.fromkeys((names[0], names[2], names[4]), ("",))}
    assert recovers == (False,)


def test_an_address_in_our_environment_is_not_taken(
    scratch: Scratch, cluster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster()
    for name, value in (("PGHOSTADDR", "192.0.2.1"), ("PGPORT", "1"), ("PGDATABASE", "production")):
        monkeypatch.setenv(name, value)
    server = started(scratch)
    assert server.databases() == ["postgres"]
    server.stop()


def test_a_slot_of_a_consumer_that_is_not_here_keeps_nothing_from_starting(
    scratch: Scratch, cluster: Callable[..., Path]
) -> None:
    data = cluster()
    (data / "pg_replslot" / "warehouse").mkdir()
    (data / "pg_replslot" / "warehouse" / "state").write_bytes(b"garbage")
    scratch.give(data)
    started(scratch).stop()


def test_a_tablespace_of_production_is_never_touched(
    scratch: Scratch, cluster: Callable[..., Path], tmp_path: Path
) -> None:
    data = cluster()
    (data / "pg_tblspc" / "16384").symlink_to(tmp_path)
    with pytest.raises(Failed) as failure:
        Server.on(scratch, {})
    assert failure.value.why is Why.CANNOT_TEST
    assert list(tmp_path.iterdir()) == []


def test_a_map_of_tablespaces_leads_nowhere(scratch: Scratch, cluster: Callable[..., Path], tmp_path: Path) -> None:
    data = cluster()
    (data / "tablespace_map").write_text(f"16384 {tmp_path}\n")
    with pytest.raises(Failed) as failure:
        Server.on(scratch, {})
    assert failure.value.why is Why.CANNOT_TEST


def test_links_to_files_beside_the_data_are_not_followed(
    scratch: Scratch, cluster: Callable[..., Path], tmp_path: Path
) -> None:
    data = cluster()
    for name in ("server.key", "postgresql.auto.conf", "pg_ident.conf"):
        (tmp_path / name).write_text("of production")
        (data / name).unlink(missing_ok=True)
        (data / name).symlink_to(tmp_path / name)
    owners = {path.name: path.stat().st_uid for path in tmp_path.iterdir()}
    started(scratch).stop()
    assert {path.name: path.stat().st_uid for path in tmp_path.iterdir()} == owners
    assert {path.read_text() for path in tmp_path.iterdir()} == {"of production"}


def test_a_version_that_is_not_here_is_named(scratch: Scratch) -> None:
    (scratch.data / "PG_VERSION").write_text("9\n")
    (scratch.data / "base").mkdir()
    with pytest.raises(Failed, match=r"it needs PostgreSQL 9; on this machine there is: [0-9]") as failure:
        Server.on(scratch, {})
    assert failure.value.why is Why.WRONG_VERSION
    assert binaries_for(9, exactly=False).major > 9


def test_a_folder_that_is_no_cluster(scratch: Scratch) -> None:
    with pytest.raises(Failed) as failure:
        Server.on(scratch, {})
    assert failure.value.why is Why.UNREADABLE


def test_a_damaged_control_file(scratch: Scratch, cluster: Callable[..., Path]) -> None:
    control = cluster() / "global" / "pg_control"
    content = bytearray(control.read_bytes())
    content[40] ^= 0xFF
    control.write_bytes(content)
    with pytest.raises(Failed) as failure:
        started(scratch)
    assert failure.value.why is Why.UNREADABLE


def test_a_cluster_without_its_wal(scratch: Scratch, cluster: Callable[..., Path]) -> None:
    for path in (cluster() / "pg_wal").iterdir():
        if path.is_file():
            path.unlink()
    with pytest.raises(Failed) as failure:
        started(scratch)
    assert failure.value.why is Why.WAL_MISSING
