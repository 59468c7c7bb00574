"""Does mail leave Odoo, and does it come in? An invoice that isn't sent isn't paid.

    closewatch_odoo_mail_outgoing 12
    closewatch_odoo_mail_oldest_due_timestamp_seconds 1.7953e+09
    closewatch_odoo_mail_failed{reason="connection"} 0
    closewatch_odoo_fetchmail_oldest_fetch_timestamp_seconds 1.7953e+09

Invoices, reminders and payment advices are mails; what stays outgoing, or failed, is money that comes later or not at
all, and nobody who sent it hears of it. A mail that is scheduled for later isn't late. Mails that were sent are mostly
deleted at once, so there is no count of them.

Why a mail failed is one of three reasons; Odoo 18 writes none where the mail server refused the connection, and that is
`connection` too. Mails that Odoo itself gave up (an opt-out, a duplicate) are no failure.

Incoming mail carries vendor bills. The time of a mailbox is the end of its last attempt: before Odoo 19 whether that
succeeded is only in the log. 19 keeps the error until the next success, and switches the mailbox off after five days.
A local server, into which the mail server itself delivers, is never looked into, and not counted.

Rights: SELECT on states and times; never an address, a subject, a body, or what a server said. Cost: mail_mail has no
index on its state, so the newest 10,000 mails are looked at, by their id; what is older isn't seen. Source: mail_mail,
fetchmail_server (a module of its own up to Odoo 16).
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

OUTGOING = Gauge(
    "closewatch_odoo_mail_outgoing",
    "Mails of the newest 10000 that should have been sent: outgoing, and not scheduled for later.",
)
OLDEST_DUE = Gauge(
    "closewatch_odoo_mail_oldest_due_timestamp_seconds",
    "Since when the mail that waits longest should have been sent; absent while none waits.",
)
FAILED = Gauge("closewatch_odoo_mail_failed", "Mails of the newest 10000 that could not be sent.", ("reason",))
OLDEST_FETCH = Gauge(
    "closewatch_odoo_fetchmail_oldest_fetch_timestamp_seconds",
    "When the active mailbox that has waited longest was last tried, or set up where it never was.",
)
FAILING = Gauge("closewatch_odoo_fetchmail_failing", "Active mailboxes whose last fetch failed (Odoo 19 and newer).")

REASONS = ("connection", "recipient", "other")

# Up to Odoo 15 the time that a mail is scheduled for is text, which anybody who writes a template may fill. It is
# compared as text, as Odoo does it, and made a time by arithmetic: a cast would fail with the first that is none.
QUERY = Query(
    """
WITH utc AS MATERIALIZED (SELECT pg_catalog.timezone('UTC', pg_catalog.now()) AS now),
looked AS MATERIALIZED (
  SELECT state, failure_type, GREATEST(create_date, write_date) AS since,
         pg_catalog.replace(pg_catalog.left(pg_catalog.to_jsonb(scheduled_date) #>> '{}', 19), 'T', ' ') AS planned
    FROM public.mail_mail ORDER BY id DESC LIMIT 10000
),
due AS (
  SELECT since, CASE WHEN planned ~
         '^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]) ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$'
         THEN pg_catalog.make_date(pg_catalog.left(planned, 4)::int, pg_catalog.substr(planned, 6, 2)::int, 1)
              + (pg_catalog.substr(planned, 9, 2)::int - 1) + pg_catalog.substr(planned, 12)::time END AS planned
    FROM looked
   WHERE state = 'outgoing'
     AND (COALESCE(planned, '') = ''
          OR planned COLLATE "C" <= pg_catalog.to_char((SELECT now FROM utc), 'YYYY-MM-DD HH24:MI:SS'))
)
SELECT (SELECT pg_catalog.count(*) FROM due) AS outgoing,
       (SELECT EXTRACT(epoch FROM pg_catalog.min(GREATEST(since, planned)))::float8 FROM due) AS oldest,
       pg_catalog.count(*) FILTER (WHERE failed AND COALESCE(failure_type, 'mail_smtp') = 'mail_smtp') AS connection,
       pg_catalog.count(*) FILTER (
         WHERE failed AND failure_type IN ('mail_email_invalid', 'mail_email_missing')) AS recipient,
       pg_catalog.count(*) FILTER (WHERE failed) AS failed
  FROM (SELECT failure_type, state = 'exception' AS failed FROM looked) mail
""",
    needs=tuple(
        f"mail_mail.{column}"
        for column in ("id", "state", "failure_type", "create_date", "write_date", "scheduled_date")
    ),
)

_FETCHMAIL = """
SELECT EXTRACT(epoch FROM pg_catalog.min(COALESCE(date, write_date, create_date)))::float8 AS oldest,
       {failing} AS failing
  FROM public.fetchmail_server WHERE active AND state = 'done' AND server_type <> 'local'
"""
_COLUMNS = tuple(
    f"fetchmail_server.{column}" for column in ("active", "state", "server_type", "date", "write_date", "create_date")
)
FETCHMAIL = (
    Query(
        _FETCHMAIL.format(failing="pg_catalog.count(*) FILTER (WHERE error_date IS NOT NULL)"),
        needs=(*_COLUMNS, "fetchmail_server.error_date"),
    ),
    Query(_FETCHMAIL.format(failing="NULL::bigint"), needs=_COLUMNS, optional=True),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """What is no failure of a known kind is `other`, so that the reasons add up to all that failed."""
    row = answer.one()
    yield OUTGOING(row["outgoing"])
    yield OLDEST_DUE(row["oldest"])
    for reason in REASONS[:-1]:
        yield FAILED(row[reason], reason=reason)
    yield FAILED(row["failed"] - sum(row[reason] for reason in REASONS[:-1]), reason=REASONS[-1])
    for boxes in answer.rows("fetchmail"):
        yield OLDEST_FETCH(boxes["oldest"])
        yield FAILING(boxes["failing"])


MAIL = Collector(
    "mail",
    {"main": QUERY, "fetchmail": FETCHMAIL},
    read,
    (OUTGOING, OLDEST_DUE, FAILED, OLDEST_FETCH, FAILING),
    every=300.0,
    applies="mail_mail",
    budget=0.3,
)
