"""The collector `mail`."""

from __future__ import annotations

from closewatch.odoo.mail import MAIL
from tests.unit.odoo.reading import read

ROW = {"outgoing": 0, "oldest": None, "connection": 0, "recipient": 0, "failed": 0}
BOXES = {"oldest": 1_795_330_800.5, "failing": None}


def test_all_mail_has_left():
    assert read(MAIL, ROW) == [
        "mail_outgoing 0",
        "mail_failed{reason='connection'} 0",
        "mail_failed{reason='recipient'} 0",
        "mail_failed{reason='other'} 0",
    ]


def test_mail_that_waits_and_mail_that_failed():
    row = {"outgoing": 7, "oldest": 1_795_330_000.0, "connection": 3, "recipient": 2, "failed": 10}
    assert read(MAIL, row) == [
        "mail_outgoing 7",
        "mail_oldest_due_timestamp_seconds 1795330000",
        "mail_failed{reason='connection'} 3",
        "mail_failed{reason='recipient'} 2",
        "mail_failed{reason='other'} 5",
    ]


def test_mailboxes_keep_their_errors_since_odoo_19():
    assert read(MAIL, ROW, tables={"fetchmail": [BOXES]})[4:] == [
        "fetchmail_oldest_fetch_timestamp_seconds 1795330800.5"
    ]
    assert read(MAIL, ROW, tables={"fetchmail": [{**BOXES, "failing": 0}]})[5:] == ["fetchmail_failing 0"]


def test_no_mailbox_is_set_up():
    assert len(read(MAIL, ROW, tables={"fetchmail": [{"oldest": None, "failing": None}]})) == 4
