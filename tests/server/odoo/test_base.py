"""The collector `base` on real servers: versions, copies, upgrades, and what isn't Odoo."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.odoo.conftest import Odoo

VERSIONS = ["15", "16", "17", "18", "19"]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_of_odoo(odoo: Callable[..., Odoo], version: str):
    facts = odoo(version).ask()
    assert facts.up
    assert facts.failing == {}
    assert facts.one("odoo_info", version=f"{version}.0", base=f"{version}.0.1.3") == 1
    assert facts.one("odoo_neutralized") == 0
    assert facts.one("odoo_modules_pending") == 0


def test_a_neutralised_copy(odoo: Callable[..., Odoo]):
    copy = odoo("18")
    copy.insert("ir_config_parameter", {"key": "database.is_neutralized", "value": "true"})
    assert copy.ask().one("odoo_neutralized") == 1


def test_modules_that_wait(odoo: Callable[..., Odoo]):
    database = odoo("17")
    for number, state in enumerate(["to install", "to upgrade", "to remove", "installed", "uninstallable", None]):
        database.insert("ir_module_module", {"name": f"m{number}", "state": state})
    assert database.ask().one("odoo_modules_pending") == 3


def test_a_database_that_is_not_odoo(watch_database: Callable[..., Odoo]):
    facts = watch_database().ask()
    assert facts.failing == {"base": "missing", "cron": "missing"}
    shown = {sample.family.name for sample in facts.samples if sample.family.name.startswith("closewatch_odoo_")}
    assert all(name.startswith("closewatch_odoo_vacuum_") for name in shown), "any database has tables"


def test_rights_that_are_missing(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2026")
    database.sql("REVOKE SELECT (key) ON ir_config_parameter FROM closewatch")
    database.sql("REVOKE SELECT (state) ON queue_job FROM closewatch")
    facts = database.ask()
    assert facts.failing == {"base": "permission", "queue": "permission", "jobs": "permission"}
    assert facts.one("odoo_cron_overdue") == 0
    database.grant()
    database.ask()
    assert database.ask().failing == {"jobs": "permission"}, "the slow lane is asked again in a minute"


def test_an_upgrade_that_drops_a_table_makes_its_collector_unavailable(odoo: Callable[..., Odoo]):
    database = odoo("18")
    assert database.ask().failing == {}
    database.sql("ALTER TABLE ir_cron RENAME TO ir_cron_old")
    facts = database.ask()
    assert facts.failing == {"cron": "missing"}
    assert facts.all("odoo_crons") == []
    assert facts.one("odoo_modules_pending") == 0
