"""A plan in the configuration: what is wrong is said so that it can be put right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.core.problems import ConfigError
from closewatch.kinds import load
from closewatch.restores.settings import RestoresTarget

DUMP = {"dump": {"folder": {"path": "/backup/acme"}}}
STANZA = {"pgbackrest": {"stanza": "main"}}


def configured(tmp_path: Path, *more: dict[str, Any], records: bool = True, **plan: Any) -> RestoresTarget:
    target = {"kind": "restores", "name": "acme", **plan}
    document: dict[str, Any] = {"environment": "test", "targets": [target, *more]}
    if records:
        document["records"] = {"path": "records.db"}
    (tmp_path / "c.yml").write_text(yaml.safe_dump(document))
    found = load(tmp_path / "c.yml").targets[0]
    assert isinstance(found, RestoresTarget)
    return found


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({}, "origin: is missing; this key is required"),
        ({"origin": {}}, "here is none"),
        ({"origin": {**DUMP, **STANZA}, "database": "acme"}, "here are pgbackrest and dump"),
        ({"origin": DUMP}, "database: name the database that the dump is of"),
        ({"origin": {"dump": {}}, "database": "acme"}, "name one place: folder or s3"),
        ({"origin": STANZA, "filestore": {"folder": "/f"}}, "name the database whose attachments these are"),
        (
            {"origin": DUMP, "database": "a", "filestore": {"folder": "/f", "archive": DUMP["dump"]}},
            "name one place: folder or archive",
        ),
        ({"origin": STANZA, "window": "at night"}, "at night"),
        ({"origin": STANZA, "window": "22:00-05:00", "timezone": "Europe/Pariss"}, "Europe/Pariss"),
        ({"origin": STANZA, "every": 1}, "expected 60.0 or more"),
        ({"origin": STANZA, "disk": 5}, "expected 1048576 or more"),
        ({"origin": STANZA, "amcheck": "some"}, "allowed: all, books, none"),
        ({"origin": STANZA, "expect": {"system_identifier": "abc"}}, "expected text that matches"),
        ({"origin": STANZA, "figures": "/f"}, "figures is about one database: name it, by `database`"),
        ({"origin": STANZA, "expect": {"database_uuid": "x"}}, "expect.database_uuid is about one database"),
        (
            {"origin": STANZA, "database": "a", "expect": {"newest_within": 5, "odoo": False}},
            "expect.newest_within is about posted entries",
        ),
        ({"origin": STANZA, "backups": "nothing"}, "no target of kind backups has this name"),
        ({"origin": STANZA, "secrets": {"file": "a.age", "by": "zip", "identity": "k"}}, "allowed: age, sops, gpg"),
        ({"origin": {"restic": {"repository": "/r"}}, "database": "a"}, "password: is missing; this key is required"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, plan: dict[str, Any], words: str):
    with pytest.raises(ConfigError) as said:
        configured(tmp_path, **plan)
    assert words in str(said.value)
    assert "c.yml:" in str(said.value)


def test_results_must_be_kept_somewhere(tmp_path: Path):
    with pytest.raises(ConfigError) as said:
        configured(tmp_path, records=False, origin=STANZA)
    assert "records: is missing; targets with scheduled checks: 1, the first at" in str(said.value)
    assert "Write: records: {path: FILE}" in str(said.value)


def test_a_plan_has_the_cell_and_environment_of_what_it_tests(tmp_path: Path):
    backups = {"kind": "backups", "name": "pg-07", "cell": "pg-07", "environment": "production", **STANZA}
    plan = configured(tmp_path, backups, origin=STANZA, backups="pg-07")
    assert (plan.cell, plan.environment) == ("pg-07", "production")


def test_one_check_as_often_and_as_long_as_is_configured(tmp_path: Path):
    plan = configured(
        tmp_path, origin=STANZA, every=3600, limit=60, window="Mon-Fri 22:00-05:00", timezone="Europe/Paris"
    )
    (check,) = plan.checks()
    assert (check.name, check.every, check.limit) == ("restore", 3600, 60)
    assert (check.window, check.timezone) == ("Mon-Fri 22:00-05:00", "Europe/Paris")


def test_a_relative_place_is_beside_the_file(tmp_path: Path):
    plan = configured(tmp_path, origin={"basebackup": {"path": "bases", "wal": "wal"}}, scratch="scratch")
    assert plan.scratch == tmp_path / "scratch"
    assert plan.origin.basebackup is not None
    assert plan.origin.basebackup.path == tmp_path / "bases"
    assert plan.origin.physical
