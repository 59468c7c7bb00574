"""pg_dump's backups in all formats, loaded into a throwaway server, and broken ones."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from closewatch.core.checks import Cancelled
from closewatch.restores.origins.dump import TYPES, Dump
from closewatch.restores.why import Failed, Why
from tests.fixtures.servers import missing
from tests.server.restores.logical.conftest import FINGERPRINT, Place, Source, files

pytestmark = pytest.mark.server


def restore(place: Place, folder: Path, database: str, expected: str | None = "acme", jobs: int = 2) -> Any:
    """Take the newest, load it; gives the backup."""
    origin = Dump(files(folder, *TYPES), expected, jobs)
    backup = origin.fetch(origin.backups(place.scratch)[0], place.scratch)
    origin.load(backup, place.server(backup.major), place.database(database), place.scratch)
    return backup


def packed(name: str, data: bytes, folder: Path) -> None:
    by = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
    if name.endswith(".zst"):
        done = subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True, timeout=60)
        (folder / name).write_bytes(done.stdout)
    else:
        (folder / name).write_bytes(by[Path(name).suffix](data))


def test_every_format_brings_back_all_that_was_in_it(acme: Source, place: Place, tmp_path: Path) -> None:
    plain = acme.dump(tmp_path / "plain.sql").read_bytes()
    custom = acme.dump(tmp_path / "custom.dump", "-Fc").read_bytes()
    made: dict[str, Callable[[Path], object]] = {
        "custom": lambda folder: (folder / "a.dump").write_bytes(custom),
        "directory": lambda folder: acme.dump(folder / "a", "-Fd", "-j2"),
        "tar": lambda folder: acme.dump(folder / "a.tar", "-Ft"),
        "plain": lambda folder: (folder / "a.sql").write_bytes(plain),
        "created": lambda folder: acme.dump(folder / "a.sql", "-C", "--clean", "--if-exists"),
        "inserted": lambda folder: acme.dump(folder / "a.sql", "--inserts", "--column-inserts"),
        "gzipped": lambda folder: packed("a.sql.gz", plain, folder),
        "xzed": lambda folder: packed("a.sql.xz", plain, folder),
        "zstandard": lambda folder: packed("a.sql.zst", plain, folder),
        "bzipped": lambda folder: packed("a.sql.bz2", plain, folder),
        "customgz": lambda folder: packed("a.dump.gz", custom, folder),
    }
    if shutil.which("zstd") is None:
        del made["zstandard"]
    for name, make in made.items():
        folder = tmp_path / f"of-{name}"
        folder.mkdir()
        make(folder)
        backup = restore(place, folder, name)
        assert backup.major == acme.server.major, name
        assert backup.database == (None if backup.about["format"] == "plain" else "acme"), name
        assert place.row(name, FINGERPRINT) == acme.fingerprint, name
        owners = "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname IN ('public', 'tools')"
        assert place.row(name, owners) == ("closewatch_loader",), name
        assert place.row(name, "SELECT count(*) FROM pg_publication") == (0,), name
        assert place.row(name, "SELECT count(*) FROM pg_event_trigger") == (0,), name


def test_the_newest_good_one_is_taken(acme: Source, place: Place, backups: Path) -> None:
    acme.dump(backups / "older.dump", "-Fc")
    (backups / "newer.sql").write_bytes(acme.dump(backups / "whole.sql").read_bytes()[:-200])
    (backups / "whole.sql").unlink()
    assert [one.id for one in Dump(files(backups, *TYPES)).backups(place.scratch)] == ["older.dump"]


def test_no_backup(place: Place, backups: Path) -> None:
    (backups / "notes.doc").write_text("x" * 100)
    with pytest.raises(Failed) as failed:
        Dump(files(backups, *TYPES)).backups(place.scratch)
    assert failed.value.why is Why.NO_BACKUP


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9, 0.99])
def test_a_dump_that_was_cut_short(acme: Source, place: Place, tmp_path: Path, backups: Path, cut: float) -> None:
    """Cut after it was judged, or where its format doesn't show its end."""
    whole = acme.dump(tmp_path / "custom", "-Fc").read_bytes()
    plain = acme.dump(tmp_path / "plain").read_bytes()
    packed("p.sql.gz", plain, tmp_path)
    gz = (tmp_path / "p.sql.gz").read_bytes()
    for number, (name, data) in enumerate((("a.dump", whole), ("a.sql", plain), ("a.sql.gz", gz))):
        shutil.rmtree(backups)
        backups.mkdir()
        (backups / name).write_bytes(data)
        origin = Dump(files(backups, *TYPES))
        chosen = origin.backups(place.scratch)[0]
        (backups / name).write_bytes(data[: int(len(data) * cut)])
        database = place.database(f"cut{number}")
        with pytest.raises(Failed) as failed:
            origin.load(origin.fetch(chosen, place.scratch), place.server(), database, place.scratch)
        assert failed.value.why is Why.UNREADABLE, (name, str(failed.value))


def test_a_byte_that_flipped_in_packed_data(acme: Source, place: Place, tmp_path: Path) -> None:
    packed("p.sql.gz", acme.dump(tmp_path / "plain").read_bytes(), tmp_path)
    for number, (name, path) in enumerate(
        (("a.dump", acme.dump(tmp_path / "custom", "-Fc")), ("a.sql.gz", tmp_path / "p.sql.gz"))
    ):
        folder = tmp_path / f"flipped{number}"
        folder.mkdir()
        data = bytearray(path.read_bytes())
        at = len(data) * 2 // 3 if name == "a.sql.gz" else data.index(b"\x78\x9c") + 60
        data[at] ^= 0x40
        (folder / name).write_bytes(data)
        with pytest.raises(Failed) as failed:
            restore(place, folder, f"flipped{number}")
        assert failed.value.why in {Why.UNREADABLE, Why.CORRUPT}, (name, str(failed.value))


def test_another_database_under_the_right_name(acme: Source, place: Place, backups: Path) -> None:
    acme.dump(backups / "acme.dump", "-Fc", database="postgres")
    with pytest.raises(Failed) as failed:
        restore(place, backups, "other")
    assert failed.value.why is Why.WRONG_BACKUP


def test_nothing_in_a_dump_gets_out_of_the_database(acme: Source, place: Place, tmp_path: Path, backups: Path) -> None:
    plain = acme.dump(tmp_path / "plain").read_text()
    head, tail = plain.split("SET default_tablespace", 1)
    mark = tmp_path.parent / "escaped"
    for number, evil in enumerate(
        (
            f"\\! touch {mark}\n",
            f"SELECT 1 \\! touch {mark}\n;",
            f"COPY (SELECT 1) TO PROGRAM 'touch {mark}';",
            f"SELECT 1 \\g | touch {mark}\n",
            "RESET SESSION AUTHORIZATION; ALTER ROLE closewatch_loader SUPERUSER; SELECT pg_read_file('/etc/passwd');",
            "SELECT pg_read_file('/etc/passwd');",
            "CREATE FUNCTION x() RETURNS int LANGUAGE c AS '/tmp/evil.so', 'x';",
        )
    ):
        (backups / "a.sql").write_text(f"{head}\n{evil}\nSET default_tablespace{tail}")
        with pytest.raises(Failed) as failed:
            restore(place, backups, f"evil{number}")
        assert failed.value.why in {Why.UNREADABLE, Why.CANNOT_TEST}, (evil, str(failed.value))
        assert "root" not in str(failed.value)
    assert not mark.exists()


def test_an_extension_that_is_not_installed(acme: Source, place: Place, tmp_path: Path, backups: Path) -> None:
    plain = acme.dump(tmp_path / "plain").read_text()
    (backups / "a.sql").write_text(plain.replace("pg_trgm", "no_such_thing"))
    with pytest.raises(Failed, match="no_such_thing is not installed") as failed:
        restore(place, backups, "without")
    assert failed.value.why is Why.WRONG_VERSION


def test_an_extension_that_only_a_superuser_may_create(acme: Source, place: Place, tmp_path: Path) -> None:
    acme.server.create_database("more")
    acme.server.sql("more", "CREATE SCHEMA ext; CREATE EXTENSION pg_stat_statements SCHEMA ext; CREATE TABLE t (i int)")
    acme.server.sql("more", "CREATE EXTENSION pageinspect; INSERT INTO t VALUES (7)")
    for number, form in enumerate("pcdt"):
        folder = tmp_path / form
        folder.mkdir()
        acme.dump(folder / "a", f"-F{form}", database="more")
        restore(place, folder, f"more{number}", "more")
        found = "SELECT i, (SELECT string_agg(extname, ',' ORDER BY extname) FROM pg_extension) FROM t"
        assert place.row(f"more{number}", found) == (7, "pageinspect,pg_stat_statements,plpgsql")
    acme.server.drop_database("more")


@pytest.mark.pg(">=16")
def test_a_dump_for_a_newer_server(pytestconfig: pytest.Config, acme: Source, place: Place, backups: Path) -> None:
    from closewatch.engines.binaries import find_postgres

    oldest = find_postgres()[0].major
    if oldest == acme.server.major:
        missing(pytestconfig, "only one version of PostgreSQL is at hand")
    acme.dump(backups / "a.dump", "-Fc")
    origin = Dump(files(backups, *TYPES), "acme")
    backup = origin.fetch(origin.backups(place.scratch)[0], place.scratch)
    with pytest.raises(Failed) as failed:
        origin.load(backup, place.server(oldest), place.database("older"), place.scratch)
    assert failed.value.why is Why.WRONG_VERSION


def test_rows_that_contradict_their_keys(acme: Source, place: Place, tmp_path: Path, backups: Path) -> None:
    plain = acme.dump(tmp_path / "plain").read_text()
    (backups / "a.sql").write_text(plain.replace("\n500\t500\t", "\n500\t999999\t"))
    with pytest.raises(Failed) as failed:
        restore(place, backups, "contradicting")
    assert failed.value.why is Why.CORRUPT


def test_a_load_that_is_stopped(acme: Source, place: Place, tmp_path: Path, backups: Path) -> None:
    import threading

    plain = acme.dump(tmp_path / "plain").read_text()
    (backups / "a.sql").write_text(
        plain.replace("SET default_tablespace", "SELECT pg_sleep(60);\nSET default_tablespace", 1)
    )
    place.server()
    threading.Timer(2.0, place.stop.set).start()
    with pytest.raises(Cancelled):
        restore(place, backups, "stopped")
    place.stop.clear()


def test_a_dump_of_a_whole_cluster_is_not_tested(acme: Source, place: Place, backups: Path) -> None:
    name = "-- PostgreSQL database cluster dump"
    (backups / "all.sql").write_text(f"--\n{name}\n--\n\nSELECT 1;\n--\n{name} complete\n--\n")
    with pytest.raises(Failed) as failed:
        restore(place, backups, "cluster")
    assert failed.value.why is Why.CANNOT_TEST


@pytest.mark.pg(">=15")
def test_a_real_odoo_dump(shared_odoo: Path, postgres_version: object, place: Place, tmp_path: Path) -> None:
    """Skips without the dumps of real Odoo databases."""
    shutil.copy(shared_odoo / "odoo18.sql.gz", tmp_path / "odoo18.sql.gz")
    backup = restore(place, tmp_path, "odoo18")
    assert backup.major == 15
    assert place.row("odoo18", "SELECT count(*) FROM account_move WHERE state = 'posted'") == (182,)
    assert place.row("odoo18", "SELECT sum(balance) FROM account_move_line WHERE parent_state = 'posted'") == (0,)
