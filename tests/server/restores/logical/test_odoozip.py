"""Odoo's own zips: dump and filestore, whole and broken."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from closewatch.backups.found import Type
from closewatch.restores import scratch as scratch_module
from closewatch.restores.origins.odoozip import OdooZip
from closewatch.restores.verify.filestore import QUERY, check
from closewatch.restores.why import Failed, Why
from tests.server.restores.logical import attachments
from tests.server.restores.logical.conftest import FINGERPRINT, Place, Source, files

pytestmark = pytest.mark.server


class Zip:
    """What Odoo writes: the dump first, then the manifest, then the files."""

    def __init__(self, acme: Source, folder: Path) -> None:
        self.sql = acme.dump(folder / "dump.sql", "--no-owner").read_text()
        self.root = folder / "filestore"
        self.rows = attachments.make(self.root, 30)
        values = ", ".join(f"('{fname}', '{checksum}', {size})" for fname, checksum, size, _ in self.rows)
        table = f"{attachments.TABLE};\nINSERT INTO ir_attachment (store_fname, checksum, file_size) VALUES {values};\n"
        self.sql = self.sql.replace(
            "SET default_tablespace", f"SET search_path = public;\n{table}SET default_tablespace", 1
        )
        self.manifest = {
            "odoo_dump": "1",
            "db_name": "acme",
            "version": "18.0",
            "version_info": [18, 0, 0, "final", 0, ""],
            "major_version": "18.0",
            "pg_version": f"{acme.server.major}.0",
            "modules": {"base": "18.0.1.3"},
        }

    def write(self, to: Path, manifest: Any = None) -> Path:
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("dump.sql", self.sql)
            archive.writestr("manifest.json", json.dumps(manifest or self.manifest))
            for row in self.rows:
                archive.write(self.root / row[0], f"filestore/{row[0]}")
        return to


@pytest.fixture
def zipped(acme: Source, tmp_path: Path) -> Zip:
    return Zip(acme, tmp_path)


def restore(place: Place, folder: Path, database: str) -> OdooZip:
    origin = OdooZip(files(folder, Type.ODOO_ZIP), "acme")
    backup = origin.fetch(origin.backups(place.scratch)[0], place.scratch)
    assert backup.about["odoo_version"] == "18.0"
    origin.load(backup, place.server(backup.major), place.database(database), place.scratch)
    return origin


def test_a_whole_one(acme: Source, zipped: Zip, place: Place, backups: Path) -> None:
    zipped.write(backups / "acme.zip")
    origin = restore(place, backups, "zipped")
    assert place.row("zipped", FINGERPRINT) == acme.fingerprint
    root = origin.filestore(place.scratch)
    with place.server().connect("zipped") as connection:
        found = check(connection.execute(QUERY), root, place.scratch.need)
    assert (found.complete, found.checked, found.orphans) == (True, 30, 0)
    (root / zipped.rows[0][0]).unlink()
    assert check(zipped.rows, root, place.scratch.need).missing == 1


def test_another_database(zipped: Zip, place: Place, backups: Path) -> None:
    zipped.write(backups / "acme.zip", {**zipped.manifest, "db_name": "other"})
    with pytest.raises(Failed) as failed:
        restore(place, backups, "other")
    assert failed.value.why is Why.WRONG_BACKUP


@pytest.mark.parametrize("harm", ["flipped", "cut dump", "slip", "twice"])
def test_a_broken_one(zipped: Zip, place: Place, backups: Path, harm: str) -> None:
    if harm == "cut dump":
        zipped.sql = zipped.sql[: len(zipped.sql) // 2]
    path = zipped.write(backups / "acme.zip")
    if harm == "flipped":
        with zipfile.ZipFile(path) as archive:
            dump = archive.getinfo("dump.sql")
        data = bytearray(path.read_bytes())
        # In the data: of what stands before them, zip has a second copy, which counts.
        data[dump.header_offset + 30 + len("dump.sql") + dump.compress_size // 2] ^= 0x10
        path.write_bytes(data)
    elif harm in {"slip", "twice"}:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("filestore/../../../out" if harm == "slip" else "filestore/x", "x")
            archive.writestr("filestore/./x", "x")
    with pytest.raises(Failed) as failed:
        restore(place, backups, "broken").filestore(place.scratch)
    assert failed.value.why is Why.UNREADABLE
    assert not (backups.parent / "out").exists()


def test_a_bomb_is_bounded_by_the_disk_of_the_plan(zipped: Zip, place: Place, backups: Path) -> None:
    path = zipped.write(backups / "acme.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"filestore/{number}", b"\0" * 20_000_000)
    origin = restore(place, backups, "bomb")
    place.scratch._disk = place.scratch.used() + 30_000_000

    def unpacked_and_gone_on() -> None:
        origin.filestore(place.scratch)
        time.sleep(scratch_module.SOONEST * 2)  # it is looked at so often, and again before what comes next
        place.scratch.watch()

    with pytest.raises(Failed) as failed:
        unpacked_and_gone_on()
    assert failed.value.why is Why.NO_SPACE
