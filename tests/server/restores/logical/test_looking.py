"""What is looked at in a dump is looked at as nobody special, and what stands in for a table is no table."""

from __future__ import annotations

import os
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from closewatch.core.checks import Task
from closewatch.core.deadline import Deadline
from closewatch.core.targets import Target
from closewatch.restores import run
from closewatch.restores.origins.base import Backup
from closewatch.restores.origins.loading import LOADER
from closewatch.restores.scratch import Scratch
from closewatch.restores.settings import RestoresTarget
from tests.server.restores.logical.conftest import Place, Source

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]
BEGIN, END = "--\n-- PostgreSQL database dump\n--\n", "--\n-- PostgreSQL database dump complete\n--\n"
VIEW = """CREATE VIEW public.ir_attachment AS
SELECT NULL::text AS store_fname, NULL::text AS checksum, 0 AS file_size, NULL::bytea AS db_datas, 'binary' AS type
 WHERE false;
"""


def task(folder: Path, scratch: Path, text: str, **more: object) -> Task:
    """A plan for a folder with one dump."""
    dump = folder / "acme.sql"
    dump.write_text(BEGIN + text + END, encoding="utf-8")
    os.utime(dump, (time.time() - 60,) * 2)
    plan = RestoresTarget.model_validate(
        {
            "kind": "restores",
            "name": "acme",
            "origin": {"dump": {"folder": {"path": str(folder), "settle": 1}}},
            "database": "acme",
            "expect": {"odoo": False},
            "amcheck": "none",
            "scratch": str(scratch),
            "disk": 1024**3,
            **more,
        }
    )
    target = Target.of("restores", "acme", environment="test", cell="acme", tenant=None, settings=plan)
    return Task(target, (), Deadline.after(100), threading.Event())


def test_it_is_looked_into_as_the_role_that_loaded_it(place: Place, tmp_path: Path, open_to_all: Path) -> None:
    given = task(tmp_path, open_to_all, "CREATE TABLE public.t (id int);\n")
    plan = given.target.settings
    course = run.Course(plan, given, run.Clock(given.progress), time.time())
    origin = plan.origin.make(plan)
    course.backup = origin.backups(place.scratch)[0]
    server = run._logical(course, origin, place.scratch)
    place.started.append(server)
    with server.look("acme") as connection:
        question = "SELECT current_user, current_setting('is_superuser'), current_setting('search_path')"
        assert connection.execute(question).fetchone() == (LOADER, "off", "pg_catalog")


def test_a_view_in_the_place_of_the_attachments_is_no_filestore(tmp_path: Path, open_to_all: Path) -> None:
    filestore = tmp_path / "filestore"
    filestore.mkdir()
    verdict = run.run(task(tmp_path, open_to_all, VIEW, filestore={"folder": str(filestore)}))
    assert (verdict.result, verdict.reason) == ("failed", "filestore_incomplete")


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati"])
def test_it_holds_what_was_there_when_it_was_begun(acme: Source, tmp_path: Path, open_to_all: Path, timezone: str):
    given = task(tmp_path, open_to_all, "", timezone=timezone)
    (tmp_path / "acme.sql").unlink()
    began = time.time()
    dump = acme.dump(tmp_path / "acme.dump", "-Fc")
    dump.chmod(0o644)
    written = began + 3000  # as if it had taken so long
    plan = given.target.settings
    course = run.Course(plan, given, run.Clock(given.progress), written)
    with scratch_of(given) as scratch:
        origin = plan.origin.make(plan)
        backup = origin.backups(scratch)[0]
        found = run._begun(course, origin.fetch(replace(backup, done=written), scratch))
    if timezone == "UTC":
        assert began - 1 <= found <= began + 10
        assert course.found["point_is"] == "when the dump was begun"
    else:  # 14 hours ahead: by its own header it was begun long before
        assert found == pytest.approx(began - 14 * 3600, abs=10)


def test_a_header_that_can_not_be_meant_is_not_believed(tmp_path: Path, open_to_all: Path) -> None:
    given = task(tmp_path, open_to_all, "")
    course = run.Course(given.target.settings, given, run.Clock(given.progress), 2000.0)
    assert run._begun(course, Backup("acme", 1000.0, clock=4600.0)) == 1000.0
    assert "not known" in course.found["point_is"]
    assert run._begun(course, Backup("acme", 1000.0)) == 1000.0


def scratch_of(given: Task) -> AbstractContextManager[Scratch]:
    plan = given.target.settings
    limits = {"deadline": given.deadline, "stop": given.stop, "progress": given.progress}
    return Scratch.create(plan.scratch, disk=plan.disk, **limits)
