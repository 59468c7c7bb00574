"""The collector `growth` on real servers: an estimate that moves with the table, and what was added, to the byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.watch import Facts
from tests.server.odoo.conftest import Odoo

FILL = "INSERT INTO ir_attachment (name, file_size) SELECT repeat('x', 300), 1000 + n % 7 FROM generate_series(1, {}) n"


def later(database: Odoo) -> Facts:
    """The next scrape, when the slow lane is due again."""
    database.watched.due(database.name)
    return database.ask()


def test_a_small_table_is_counted(odoo: Callable[..., Odoo]):
    database = odoo("18", operations=True)
    database.insert("ir_attachment", {"name": "a", "file_size": 10}, {"name": "b", "file_size": 32})
    database.insert("ir_attachment", {"name": "a link", "type": "url"})
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_attachments") == 3
    assert facts.one("odoo_attachments_bytes") == 42
    assert facts.one("odoo_attachments_added_bytes_total") == 0


def test_an_empty_table(odoo: Callable[..., Odoo]):
    database = odoo("15", operations=True)
    facts = database.ask()
    assert facts.one("odoo_attachments") == 0
    assert facts.one("odoo_attachments_bytes") == 0
    database.insert("ir_attachment", {"name": "a", "file_size": 10})
    assert later(database).one("odoo_attachments_added_bytes_total") == 10


def test_what_is_added_counts_to_the_byte(odoo: Callable[..., Odoo]):
    database = odoo("18", operations=True)
    database.sql(FILL.format(12_000))
    database.ask()
    with database.server.connect(database.name, autocommit=False) as late:
        late.execute("INSERT INTO ir_attachment (name, file_size) VALUES ('late', 5000000)")
        database.sql(FILL.format(700))
        expected = database.value("SELECT sum(file_size) FROM ir_attachment WHERE id > 12001")
        assert later(database).one("odoo_attachments_added_bytes_total") == expected
        late.commit()
    assert later(database).one("odoo_attachments_added_bytes_total") == expected + 5_000_000
    database.sql("DELETE FROM ir_attachment WHERE id > 12300")
    assert later(database).one("odoo_attachments_added_bytes_total") == expected + 5_000_000


@pytest.mark.slow
def test_the_estimate_of_a_large_table(odoo: Callable[..., Odoo]):
    """Some per cent from the truth, the same each time, and moving with the table."""
    database = odoo("18", operations=True)
    database.sql(FILL.format(200_000))
    facts = database.ask()
    assert facts.one("odoo_attachments") == pytest.approx(200_000, rel=0.15)
    assert facts.one("odoo_attachments_bytes") == pytest.approx(200_000 * 1003, rel=0.15)
    first = later(database).one("odoo_attachments_bytes")
    assert first == facts.one("odoo_attachments_bytes")
    database.sql(FILL.format(5_000))
    grown = later(database).one("odoo_attachments_bytes") - first
    assert grown == pytest.approx(5_000 * 1003, rel=0.5)
