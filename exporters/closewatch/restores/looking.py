"""What a plan asks to be looked at, one after the other; the first thing that is wrong ends the test with its reason.

What was looked at, and what was not and why, is in the record either way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from closewatch.restores.origins import Origin
from closewatch.restores.phases import Phase
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.restores.verify import amcheck, bundle, configuration, filestore, ledger, manifest, secrets
from closewatch.restores.why import Failed, Why

if TYPE_CHECKING:
    from closewatch.restores.run import Course

BOOKS_TABLES = ("account_move", "account_move_line", "account_journal", "account_account", "ir_attachment")
MOST_FIGURES = 64 * 1024 * 1024
"""Bytes of a file with figures."""


def before_start(course: Course, scratch: Scratch) -> None:
    """What only the files tell, before a server changes them: the manifest, and whose cluster it is."""
    with course.clock.phase(Phase.MANIFEST):
        course.found["manifest"] = manifest.verify(scratch)
    wanted = course.plan.expect.system_identifier
    if wanted is not None:
        found = manifest.system_identifier(scratch)
        if found != wanted:
            raise Failed(Why.WRONG_BACKUP, f"its cluster has the system identifier {found}, not {wanted}")


def look(course: Course, server: Server, scratch: Scratch, origin: Origin) -> None:
    """All that is asked for, on the running server."""
    plan = course.plan
    names = server.databases()
    course.found["databases"] = {name: {} for name in names}
    for name in (plan.database, *plan.expect.databases):
        if name is not None and name not in names:
            raise Failed(Why.WRONG_BACKUP, f"the database {name} is not in it")
    looked_into = [plan.database] if plan.database is not None else names
    with course.clock.phase(Phase.AMCHECK):
        tables = {"all": (), "books": BOOKS_TABLES, "none": None}[plan.amcheck]
        course.found["amcheck"] = (
            {"looked_at": False} if tables is None else amcheck.verify(server, scratch, looked_into, tables)
        )
    with course.clock.phase(Phase.BOOKS):
        for name in looked_into:
            _books(course, server, name)
    if plan.filestore is not None:
        with course.clock.phase(Phase.FILESTORE):
            _filestore(course, server, scratch, origin)
    with course.clock.phase(Phase.OTHERS):
        _others(course, scratch)


def _books(course: Course, server: Server, database: str) -> None:
    plan = course.plan
    with server.connect(database) as connection:
        books = ledger.look(connection, time.time())
    found = course.found["databases"][database]
    found["books"] = books.payload()
    wanted = plan.expect.odoo and database == plan.database
    if books.odoo is None:
        if wanted:
            raise Failed(Why.WRONG_BACKUP, f"{database} is no Odoo database")
        return
    if wanted and plan.expect.database_uuid is not None and books.uuid != plan.expect.database_uuid:
        raise Failed(Why.WRONG_BACKUP, f"{database} is another Odoo database: its database.uuid differs")
    wrong = books.wrong()
    found["compared_with"], complaints = _compared(course, database, books)
    wrong += complaints
    if plan.expect.newest_within is not None and wanted:
        wrong += _newest(course, books)
    found["wrong"] = wrong
    if wrong:
        raise Failed(Why.BOOKS, f"{database}: {wrong[0]}" + (f" and {len(wrong) - 1} more" if wrong[1:] else ""))


def _newest(course: Course, books: ledger.Books) -> list[str]:
    newest, point = books.newest_entry, course.point
    within = course.plan.expect.newest_within or 0.0
    if newest is None or point is None or point - newest > within:
        return ["the newest posted entry is older than the plan allows"]
    return []


def _compared(course: Course, database: str, books: ledger.Books) -> tuple[str, list[str]]:
    """With the figures written when the backup was taken; else with what is there of the test before, else not."""
    assert course.backup is not None
    recorded = _figures(course.plan.figures, course.backup.id)
    if recorded is not None:
        return "figures of the backup", ledger.compare(recorded, books)
    return "not compared", []


def _figures(folder: Path | None, backup: str) -> Mapping[str, Any] | None:
    if folder is None:
        return None
    path = folder / f"{backup.replace('/', '_')}.json"
    try:
        if path.stat().st_size > MOST_FIGURES:
            raise Failed(Why.BOOKS, "the file with the backup's figures is too large")
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        raise Failed(Why.BOOKS, "the file with the backup's figures can't be read") from None
    if not isinstance(found, dict):
        raise Failed(Why.BOOKS, "the file with the backup's figures has another form")
    return found


def _filestore(course: Course, server: Server, scratch: Scratch, origin: Origin) -> None:
    plan = course.plan
    assert plan.filestore is not None
    assert plan.database is not None
    root = plan.filestore.root(scratch, origin)
    with server.connect(plan.database) as connection:
        found = filestore.verify(
            filestore.attachments(connection),
            root,
            sample=plan.filestore.sample,
            processes=plan.filestore.processes,
            need=course.task.need,
        )
    course.found["filestore"] = found.payload()
    if found.missing or found.altered:
        raise Failed(
            Why.FILESTORE_INCOMPLETE, f"{found.missing} attachments are missing and {found.altered} are altered"
        )


def _others(course: Course, scratch: Scratch) -> None:
    plan, found = course.plan, course.found
    if plan.secrets is not None:
        found["secrets"] = secrets.verify(plan.secrets.file, plan.secrets.by, plan.secrets.identity, scratch)
    if plan.configuration is not None:
        found["configuration"] = configuration.verify(plan.configuration, scratch)
    if plan.infrastructure is not None:
        found["infrastructure"] = bundle.verify(plan.infrastructure, scratch)
