"""What a plan asks to be looked at, one after the other; the first thing that is wrong ends the test with its reason.

What was looked at, and what was not and why, is in the record either way.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from closewatch.restores.origins import Origin
from closewatch.restores.phases import Phase
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.restores.verify import amcheck, bundle, checksums, configuration, filestore, ledger, manifest, secrets
from closewatch.restores.verify.books import Books
from closewatch.restores.verify.ledger import identity
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
    if plan.amcheck == "all":
        with course.clock.phase(Phase.AMCHECK):
            course.found["checksums"] = checksums.verify(server, scratch) if plan.origin.physical else None
    looked_into = [plan.database] if plan.database is not None else names
    with course.clock.phase(Phase.AMCHECK):
        tables = {"all": (), "books": BOOKS_TABLES, "none": None}[plan.amcheck]
        course.found["amcheck"] = (
            {"looked_at": False} if tables is None else amcheck.verify(server, scratch, looked_into, tables, plan.jobs)
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
    plan, found = course.plan, course.found["databases"][database]
    assert course.backup is not None
    recorded = _figures(plan.figures, course.backup.id)
    with server.look(database) as connection:
        connection.autocommit = False
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        books = ledger.look(connection, time.time(), before=recorded, pause=course.task.need)
    found["books"] = books.payload()
    found["compared_with"] = "not compared" if recorded is None else "the figures of the backup"
    wanted = plan.expect.odoo and database == plan.database
    if books.odoo is None:
        if wanted:
            raise Failed(Why.WRONG_BACKUP, f"{database} is no Odoo database")
        return
    _whose(course, database, books, recorded)
    wrong = books.wrong() + ([] if recorded is None else ledger.compare(recorded, books))
    if plan.expect.newest_within is not None and wanted:
        wrong += _newest(course, books)
    found["wrong"] = wrong
    if wrong:
        raise Failed(Why.BOOKS, f"{database}: {wrong[0]}" + (f", and {len(wrong) - 1} more" if wrong[1:] else ""))


def _whose(course: Course, database: str, books: Books, recorded: Mapping[str, Any] | None) -> None:
    """Raises Failed(wrong_backup) where it is another Odoo database than the one that is meant."""
    uuid = course.plan.expect.database_uuid
    meant = uuid is None or database != course.plan.database
    assert books.odoo is not None
    if not meant and uuid is not None and books.odoo.identity != identity(uuid):
        raise Failed(Why.WRONG_BACKUP, f"{database} is another Odoo database: its database.uuid differs")
    if recorded is not None and ledger.another(recorded, books):
        raise Failed(Why.WRONG_BACKUP, f"{database} is another Odoo database than when the backup was taken")


def _newest(course: Course, books: Books) -> list[str]:
    newest = books.ledger.posted.newest_created if books.ledger is not None else None
    within, point = course.plan.expect.newest_within or 0.0, course.point
    if newest is None or point is None or point - _utc(newest) > within:
        return ["the newest posted entry is older than the plan allows"]
    return []


def _utc(text: str) -> float:
    """Unix seconds of a time that Odoo keeps: UTC without saying so."""
    at = dt.datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp()


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
    with server.look(plan.database) as connection:
        connection.autocommit = False
        if connection.execute(filestore.TABLE).fetchone() is None:
            raise Failed(Why.FILESTORE_INCOMPLETE, "there is no table of attachments, or something else has its name")
        with connection.cursor("attachments") as cursor:
            cursor.execute(filestore.QUERY)
            found = filestore.check(
                cursor,
                root,
                course.task.need,
                sample=plan.filestore.sample,
                processes=plan.filestore.processes,
                progress=course.task.progress,
            )
    course.found["filestore"] = found.payload
    if not found.complete:
        raise Failed(Why.FILESTORE_INCOMPLETE, f"of {found.total:,} attachments: {found.words}")


def _others(course: Course, scratch: Scratch) -> None:
    plan, found = course.plan, course.found
    if plan.secrets is not None:
        found["secrets"] = secrets.check(plan.secrets.file, plan.secrets.key(), scratch).payload
    if plan.configuration is not None:
        found["configuration"] = configuration.check(plan.configuration, course.task.need).payload
    if plan.infrastructure is not None:
        found["infrastructure"] = bundle.check(plan.infrastructure, scratch).payload
