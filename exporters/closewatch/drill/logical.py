"""Sabotage of dumps, Odoo zips, filestores, and of what belongs to a company's recovery beside its database."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

from closewatch.drill.cases import Cases, NotHere, Plan, aged, by_dump, cut, flip
from closewatch.drill.stage import Stage

cases = Cases()


def _zip(place: Path, **more: Any) -> Plan:
    origin = {"odoo_zip": {"folder": {"path": str(place), "settle": 1}}}
    return Plan({"origin": origin, "database": "odoo_books", "amcheck": "none", "filestore": {}, **more})


@cases.case("a custom dump cut short", "unreadable")
def _custom_cut(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "c" / "books.dump")
    cut(copy, 0.8)
    return by_dump(copy.parent)


@cases.case("a plain dump cut short", "unreadable")
def _plain_cut(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "p" / "books.sql")
    cut(copy, 0.5)
    return by_dump(copy.parent)


@cases.case("a compressed dump cut short", "unreadable")
def _gzip_cut(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "p" / "books.sql")
    packed = copy.with_suffix(".sql.gz")
    packed.write_bytes(gzip.compress(copy.read_bytes())[:-2000])
    copy.unlink()
    aged(packed)
    return by_dump(packed.parent)


@cases.case("a byte flipped inside of a dump's data", "unreadable")
def _dump_byte(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "c" / "books.dump")
    data = copy.read_bytes()
    flip(copy, data.rindex(b"\x78\x9c") + 40)  # in the last compressed stream
    return by_dump(copy.parent)


@cases.case("a file of a directory dump gone", "unreadable", "no_backup")
def _directory(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "d" / "books")
    max(copy.glob("*.dat.gz"), key=lambda path: path.stat().st_size).unlink()
    for path in copy.iterdir():
        aged(path)
    return by_dump(copy.parent)


@cases.case("a backup of another database under the right name", "wrong_backup")
def _other(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "other" / "books.dump")
    with stage.ground.server.connect("odoo_books") as connection:
        row = connection.execute("SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'").fetchone()
    assert row is not None
    return by_dump(copy.parent, expect={"database_uuid": row[0]})


@cases.case("a dump that says it is of another database", "wrong_backup")
def _named(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "c" / "books.dump")
    plan = by_dump(copy.parent)
    return Plan({**plan.settings, "database": "odoo_acme"})


@cases.case("no backup at all", "no_backup")
def _none(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "c" / "books.dump")
    copy.unlink()
    return by_dump(copy.parent)


@cases.case("a journal item changed in the dump", "books")
def _item(stage: Stage) -> Plan:
    """The first amount of the first item that has one: what stands against it in the same entry stays as it was."""
    copy = stage.copy(stage.dumps / "p" / "books.sql")
    lines = copy.read_text(encoding="utf-8").split("\n")
    begin = next(at for at, line in enumerate(lines) if line.startswith("COPY public.account_move_line "))
    columns = lines[begin].partition("(")[2].partition(")")[0].split(", ")
    fields = lines[begin + 1].split("\t")
    side = columns.index("debit") if float(fields[columns.index("debit")]) else columns.index("credit")
    fields[side] = f"{float(fields[side]) + 1:.2f}"
    lines[begin + 1] = "\t".join(fields)
    copy.write_text("\n".join(lines), encoding="utf-8")
    aged(copy)
    return by_dump(copy.parent)


@cases.case("an entry's name changed in the dump: the hash chain breaks", "books")
def _name(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "p" / "books.sql")
    text = copy.read_text(encoding="utf-8")
    begin = text.index("COPY public.account_move_line ")
    end = text.index("\n\\.", begin)
    changed = text[begin:end].replace("Services", "Favours", 3)
    copy.write_text(text[:begin] + changed + text[end:], encoding="utf-8")
    aged(copy)
    return by_dump(copy.parent)


@cases.case("fewer entries than when the backup was taken", "books")
def _fewer(stage: Stage) -> Plan:
    copy = stage.copy(stage.dumps / "c" / "books.dump")
    figures = copy.parent / "figures"
    figures.mkdir()
    from closewatch.restores.verify import ledger  # noqa: PLC0415 - what a backup job would call

    with stage.ground.server.connect("odoo_books", autocommit=False) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found = json.loads(json.dumps(ledger.figures(connection, copy.stat().st_mtime)))
    posted = found["figures"]["posted"]
    found["figures"]["posted"] = {company: count + 1 for company, count in posted.items()}
    (figures / f"{copy.name}.json").write_text(json.dumps(found), encoding="utf-8")
    return by_dump(copy.parent, figures=str(figures))


@cases.case("an attachment missing", "filestore_incomplete")
def _missing(stage: Stage) -> Plan:
    copy = stage.copy(stage.filestore)
    next(path for path in sorted(copy.rglob("*")) if path.is_file()).unlink()
    plan = by_dump(stage.dumps / "c")
    return Plan({**plan.settings, "filestore": {"folder": str(copy)}})


@cases.case("an attachment altered", "filestore_incomplete")
def _altered(stage: Stage) -> Plan:
    copy = stage.copy(stage.filestore)
    flip(next(path for path in sorted(copy.rglob("*")) if path.is_file() and path.stat().st_size > 100))
    plan = by_dump(stage.dumps / "c")
    return Plan({**plan.settings, "filestore": {"folder": str(copy)}})


@cases.case("an attachment missing in Odoo's zip", "filestore_incomplete")
def _zip_missing(stage: Stage) -> Plan:
    copy = stage.copy(stage.zips / "books.zip")
    with zipfile.ZipFile(copy) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content.pop(next(name for name in content if name.startswith("filestore/")))
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    aged(copy)
    return _zip(copy.parent)


@cases.case("Odoo's zip cut short", "unreadable")
def _zip_cut(stage: Stage) -> Plan:
    copy = stage.copy(stage.zips / "books.zip")
    cut(copy, 0.9)
    return _zip(copy.parent)


@cases.case("an encrypted archive and the wrong key", "secrets")
def _wrong_key(stage: Stage) -> Plan:
    found = stage.secrets()
    if found is None:
        raise NotHere("age")
    plan = by_dump(stage.dumps / "c")
    return Plan({**plan.settings, "secrets": {"file": str(found[0]), "by": "age", "identity": str(found[2])}})


@cases.case("an encrypted archive cut short", "secrets")
def _secrets_cut(stage: Stage) -> Plan:
    found = stage.secrets()
    if found is None:
        raise NotHere("age")
    copy = stage.copy(found[0])
    cut(copy, 0.9)
    plan = by_dump(stage.dumps / "c")
    return Plan({**plan.settings, "secrets": {"file": str(copy), "by": "age", "identity": str(found[1])}})


@cases.case("a git bundle cut short", "infrastructure")
def _bundle(stage: Stage) -> Plan:
    found = stage.bundle()
    if found is None:
        raise NotHere("git")
    copy = stage.copy(found)
    cut(copy, 0.7)
    plan = by_dump(stage.dumps / "c")
    return Plan({**plan.settings, "infrastructure": str(copy)})


@cases.case("a configuration file that doesn't parse", "configuration")
def _configuration(stage: Stage) -> Plan:
    folder = stage.copy(stage.ground.config).parent / "etc"
    folder.mkdir()
    (folder / "odoo.conf").write_text("[options]\ndb_host = 10.0.0.1\n", encoding="ascii")
    (folder / "values.yaml").write_text("a: [1, 2\n", encoding="ascii")
    plan = by_dump(stage.dumps / "c")
    return Plan({**plan.settings, "configuration": str(folder)})


@cases.case("a snapshot of a volume", "cannot_test")
def _snapshot(_stage: Stage) -> Plan:
    return Plan({"origin": {"volume_snapshot": "pvc-snapshot-1"}})


def _healthy_zip(stage: Stage) -> Plan:
    return _zip(stage.zips)


def _healthy_all(stage: Stage) -> Plan:
    """A dump with everything beside it."""
    plan = by_dump(stage.dumps / "c", filestore={"folder": str(stage.filestore)})
    settings = dict(plan.settings)
    if found := stage.secrets():
        settings["secrets"] = {"file": str(found[0]), "by": "age", "identity": str(found[1])}
    if bundle := stage.bundle():
        settings["infrastructure"] = str(bundle)
    return Plan(settings)


HEALTHY = {
    "a custom dump, with all that belongs to it": _healthy_all,
    "a plain dump": lambda stage: by_dump(stage.dumps / "p"),
    "a directory dump": lambda stage: by_dump(stage.dumps / "d"),
    "a tar dump": lambda stage: by_dump(stage.dumps / "t"),
    "Odoo's zip with its filestore": _healthy_zip,
}
