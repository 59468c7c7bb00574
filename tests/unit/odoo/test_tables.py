"""The collector `tables`."""

from __future__ import annotations

from closewatch.odoo.tables import TABLES
from tests.unit.odoo.reading import read

ROW = {"overdue": 2, "worst": 14.2, "disabled": 1}


def test_a_row():
    assert read(TABLES, ROW) == ["vacuum_overdue_tables 2", "vacuum_overdue_ratio 14.2", "vacuum_disabled_tables 1"]


def test_without_counts_nothing_is_overdue_nor_well():
    assert read(TABLES, {**ROW, "overdue": None, "worst": None}) == ["vacuum_disabled_tables 1"]
