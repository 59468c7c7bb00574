"""The slow lane of a database: asked in some of the visits only, and its tables known all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from closewatch.core.deadline import Deadline
from tests.fixtures.watch import Facts
from tests.server.odoo.conftest import Odoo


def asked(database: Odoo, *, slow: bool) -> Facts:
    """A scrape; with `slow` the intervals of the slow lane are over."""
    if slow:
        database.watched.due(database.name)
    return Facts(database.scrape.run(Deadline.after(9)))


@pytest.fixture
def database(odoo: Callable[..., Odoo]) -> Odoo:
    return odoo("18", queue="2026", operations=True)


def test_the_slow_lane_answers_after_visits_that_left_it_out(database: Odoo):
    assert asked(database, slow=True).one("odoo_mail_outgoing") == 0
    for _ in range(3):
        assert asked(database, slow=False).one("odoo_mail_outgoing") == 0
    database.insert("mail_mail", {"state": "outgoing", "create_date": "=ago('1 hour')"})
    facts = asked(database, slow=True)
    assert facts.failing == {}
    assert facts.one("odoo_mail_outgoing") == 1
    assert facts.one("odoo_postings_overdue") == 0
    assert facts.one("odoo_attachments") == 0


def test_a_module_that_is_installed_later(database: Odoo):
    database.sql("ALTER TABLE mail_mail RENAME TO not_there")
    assert asked(database, slow=True).all("odoo_mail_outgoing") == []
    asked(database, slow=False)
    database.sql("ALTER TABLE not_there RENAME TO mail_mail")
    asked(database, slow=True)
    asked(database, slow=False)
    assert asked(database, slow=True).one("odoo_mail_outgoing") == 0


def test_a_module_that_is_removed(database: Odoo):
    assert asked(database, slow=True).one("odoo_mail_outgoing") == 0
    asked(database, slow=False)
    database.sql("DROP TABLE mail_mail")
    asked(database, slow=True)
    asked(database, slow=False)
    facts = asked(database, slow=True)
    assert facts.failing == {}
    assert facts.one("odoo_postings_overdue") == 0
