"""Odoo's operations beyond jobs and actions: mail, what the accounting waits for, slow jobs, growing files."""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME, line_per_target
from dashboards.odoo import NO_QUEUE, ODOO, top
from dashboards.parts import ORANGE, YELLOW, Column, Limits, Panel, chart, query

MAIL_DUE = "closewatch_odoo_mail_oldest_due_timestamp_seconds"
FETCHED = "closewatch_odoo_fetchmail_oldest_fetch_timestamp_seconds"
LINES = "closewatch_odoo_bank_oldest_import_timestamp_seconds"
FEEDS = "closewatch_odoo_bank_feed_oldest_success_timestamp_seconds"
RATES = "closewatch_odoo_currency_rate_oldest_timestamp_seconds"
NO_BOOKS = "No watched database has entries of the accounting."
DURATION = "closewatch_odoo_queue_job_duration_seconds"


def panels() -> list[Panel]:
    """A line a database, then mail, the accounting, jobs and files."""
    return [_databases(), *_mail(), *_accounting(), *_jobs(), *_files()]


def _databases() -> Panel:
    due, rates = limits("odoo_mail_outgoing_seconds").steps, limits("odoo_currency_rate_seconds").steps
    columns: list[tuple[str, Column]] = [
        (ODOO.age(MAIL_DUE), Column("", "Oldest mail waits", unit="s", steps=due, width=140)),
        (
            f"sum by (environment, cell, tenant, target) ({ODOO.worst('closewatch_odoo_mail_failed', 'reason')})",
            Column("", "Failed mails", steps=((1, YELLOW),), width=105),
        ),
        (
            ODOO.worst("closewatch_odoo_fetchmail_failing"),
            Column("", "Mailboxes fail", steps=((1, ORANGE),), width=115),
        ),
        (
            f"({ODOO.age(FEEDS)} or {ODOO.age(LINES)})",
            Column("", "Bank silent for", unit="s", steps=limits("odoo_bank_feed_seconds").steps, width=125),
        ),
        (ODOO.worst("closewatch_odoo_bank_feeds_broken"), Column("", "Broken feeds", steps=((1, ORANGE),), width=110)),
        (ODOO.age(RATES), Column("", "Oldest rate", unit="s", steps=rates, width=110)),
        (
            ODOO.worst("closewatch_odoo_foreign_currencies_without_rate"),
            Column("", "Without rate", steps=((1, ORANGE),), width=105),
        ),
        (
            ODOO.worst("closewatch_odoo_postings_overdue"),
            Column("", "Postings overdue", steps=((1, ORANGE),), width=130),
        ),
    ]
    return line_per_target(
        "Operations",
        "A line a database: does mail leave and come in, does the accounting get statements and rates, is it posted.",
        ODOO,
        columns,
        noun="Database",
        none="No Odoo database is watched here.",
    )


def _mail() -> list[Panel]:
    return [
        chart(
            "Oldest mail that should have left",
            "How long the mail waits that is outgoing for the longest time, and not scheduled for later.",
            "s",
            [query(top(ODOO.age(MAIL_DUE)), NAME)],
            limits=limits("odoo_mail_outgoing_seconds"),
            none="No mail waits.",
        ),
        chart(
            "Mails that wait and mails that failed",
            "Of the newest 10,000. Failed ones stay until somebody deletes or repeats them: what matters is a step.",
            "short",
            [
                query(top(ODOO.worst("closewatch_odoo_mail_outgoing")), NAME + " waits"),
                query(top(ODOO.worst("closewatch_odoo_mail_failed", "reason")), NAME + " {{reason}}", ref="B"),
            ],
            limits=Limits(alerts=("OdooMailFailing",)),
            none="No watched database sends mail.",
        ),
        chart(
            "Mailboxes: time since the last look",
            "How long ago the mailbox that waits longest was last looked into. Vendor bills come by mail.",
            "s",
            [query(top(ODOO.age(FETCHED)), NAME)],
            none="No mailbox is set up.",
        ),
    ]


def _accounting() -> list[Panel]:
    return [
        chart(
            "Bank: time since statements came",
            "Since the feed that waits longest succeeded, and since the journal that waits longest got a line.",
            "s",
            [query(top(ODOO.age(FEEDS)), NAME + " feed"), query(top(ODOO.age(LINES)), NAME + " lines", ref="B")],
            limits=limits("odoo_bank_feed_seconds"),
            none="No bank journal gets statements regularly.",
        ),
        chart(
            "Age of the oldest currency rate in use",
            "Of the currencies that entries use, beside the company's own.",
            "s",
            [query(top(ODOO.age(RATES)), NAME)],
            limits=limits("odoo_currency_rate_seconds"),
            none="No database posts in a foreign currency.",
        ),
        chart(
            "Postings overdue",
            "Drafts that were to be posted automatically before today.",
            "short",
            [query(top(ODOO.worst("closewatch_odoo_postings_overdue")), NAME)],
            limits=limits("odoo_postings_overdue"),
            none=NO_BOOKS,
        ),
    ]


def _jobs() -> list[Panel]:
    return [
        chart(
            "How long jobs take",
            "Median of a method's newest 100 jobs that were done within a day; the three methods with the most jobs.",
            "s",
            [query(top(ODOO.worst(DURATION, "method")), NAME + " {{method}}")],
            limits=Limits(alerts=("OdooJobsSlow",)),
            none=NO_QUEUE,
        ),
        chart(
            "Channels: share of the capacity",
            "Jobs that were handed out or run, against the capacity of the channel; the three fullest ones.",
            "percentunit",
            [query(top(ODOO.worst("closewatch_odoo_queue_channel_used_ratio", "channel")), NAME + " {{channel}}")],
            none="No watched queue_job keeps its capacity in the database.",
            top=1,
        ),
    ]


def _files() -> list[Panel]:
    return [
        chart(
            "Size of all attachments",
            "Estimated from a sample; good for a trend. The folder on the disk holds equal files once.",
            "bytes",
            [query(top(ODOO.worst("closewatch_odoo_attachments_bytes")), NAME)],
        ),
        chart(
            "Attachments",
            "Estimated from a sample.",
            "short",
            [query(top(ODOO.worst("closewatch_odoo_attachments")), NAME)],
        ),
        chart(
            "Attachments added",
            "Bytes a second, counted. It is looked at every five minutes, so it comes in steps.",
            "Bps",
            [query(top(ODOO.rate("closewatch_odoo_attachments_added_bytes_total")), NAME)],
        ),
    ]
