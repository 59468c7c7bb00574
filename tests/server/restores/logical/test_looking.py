"""What is looked at in a dump is looked at as nobody special, and what stands in for a table is no table."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from closewatch.core.checks import Task
from closewatch.core.deadline import Deadline
from closewatch.core.targets import Target
from closewatch.restores import run
from closewatch.restores.origins.loading import LOADER
from closewatch.restores.settings import RestoresTarget
from tests.server.restores.logical.conftest import Place

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
