"""Does the accounting get what it needs from outside, and does it post what it was told to?

    closewatch_odoo_bank_oldest_import_timestamp_seconds 1.7953e+09
    closewatch_odoo_bank_feed_oldest_success_timestamp_seconds 1.7953e+09
    closewatch_odoo_currency_rate_oldest_timestamp_seconds 1.7952e+09
    closewatch_odoo_postings_overdue 0

All of it fails silently. A bank's consent expires and its statements stop: payments are not matched, customers who have
paid get reminders. Rates that are no longer fetched are used as if they were today's, and a currency without any counts
one to one. An entry that was to be posted on its day (a deferral, a depreciation, a recurring invoice) stays a draft,
and the month is closed without it.

Bank: of each active bank journal the newest 200 entries are looked at. One counts where they came on at least three
days, or where all are of statements: a journal that somebody imports into once a year is not late. Where the database
says when its feeds last succeeded (Enterprise's account_online_link, OCA's online_bank_statement_provider), that is
better: a day without payments is no day without a feed.

Rates: of the currencies that the newest 2,000 entries use beside their company's own. Absent where there are none.

Postings: drafts with automatic posting and a day before today in UTC, so that Odoo's daily run has had its chance; not
those of more than a year ago, nor behind 1,000 older drafts of a journal.

Rights: SELECT on ids, states and times; never an amount, a name or a reference. Cost: bounded by the indexes that Odoo
makes, whatever account_move holds. Source: account_move, account_journal, res_currency_rate, res_company, res_currency.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

BANK_OLDEST = Gauge(
    "closewatch_odoo_bank_oldest_import_timestamp_seconds",
    "Of the bank journals that statements come into, when the one that has waited longest got its last line.",
)
FEEDS_BROKEN = Gauge(
    "closewatch_odoo_bank_feeds_broken", "Bank feeds that the bank no longer lets in, by Odoo's own account."
)
FEED_OLDEST = Gauge(
    "closewatch_odoo_bank_feed_oldest_success_timestamp_seconds",
    "When the automatic bank feed that has waited longest last succeeded.",
)
WITHOUT_RATE = Gauge(
    "closewatch_odoo_foreign_currencies_without_rate",
    "Foreign currencies that the newest 2000 entries use and that have no rate: they count one to one.",
)
RATE_OLDEST = Gauge(
    "closewatch_odoo_currency_rate_oldest_timestamp_seconds",
    "Day of the newest rate of that foreign currency in use whose newest rate is the oldest.",
)
OVERDUE = Gauge(
    "closewatch_odoo_postings_overdue",
    "Drafts of the last year that were to be posted automatically before today; at most 1000 of a journal.",
)

BANK = Query(
    """
SELECT EXTRACT(epoch FROM pg_catalog.min(newest) FILTER (WHERE days >= 3 OR lines >= 200))::float8 AS oldest
  FROM (SELECT id FROM public.account_journal
         WHERE type IN ('bank', 'credit') AND active IS NOT FALSE ORDER BY id LIMIT 50) j
 CROSS JOIN LATERAL (
   SELECT pg_catalog.max(create_date) AS newest, pg_catalog.count(DISTINCT create_date::date) AS days,
          pg_catalog.count(*) AS lines
     FROM (SELECT create_date, statement_line_id FROM public.account_move
            WHERE journal_id = j.id ORDER BY journal_id, id DESC LIMIT 200) entry
    WHERE statement_line_id IS NOT NULL) line
""",
    needs=(
        "account_journal.id",
        "account_journal.type",
        "account_journal.active",
        *(f"account_move.{column}" for column in ("id", "journal_id", "create_date", "statement_line_id")),
    ),
)

# A branch (17 and newer) uses the rates of the company above it: for what has one, any company's rates will do.
RATES = Query(
    """
WITH used AS MATERIALIZED (
  SELECT DISTINCT c.id AS company, c.parent_id IS NOT NULL AS branch, m.currency_id AS currency
    FROM (SELECT company_id, currency_id FROM public.account_move ORDER BY id DESC LIMIT 2000) m
    JOIN public.res_company c ON c.id = m.company_id AND c.currency_id <> m.currency_id
    JOIN public.res_currency u ON u.id = m.currency_id AND u.active
),
looked AS MATERIALIZED (
  SELECT currency_id, company_id, name AS day FROM public.res_currency_rate ORDER BY name DESC LIMIT 10000
),
seen AS MATERIALIZED (
  SELECT currency_id, company_id, pg_catalog.max(day) AS day FROM looked
   WHERE day <= pg_catalog.timezone('UTC', pg_catalog.now())::date GROUP BY 1, 2
),
dated AS (
  SELECT u.currency, COALESCE(
           (SELECT pg_catalog.max(s.day) FROM seen s
             WHERE s.currency_id = u.currency
               AND (s.company_id IS NULL OR s.company_id = u.company OR u.branch)),
           (SELECT pg_catalog.min(day) FROM looked HAVING pg_catalog.count(*) = 10000)) AS day
    FROM used u
)
SELECT pg_catalog.count(DISTINCT currency) AS currencies,
       pg_catalog.count(DISTINCT currency) FILTER (WHERE day IS NULL) AS without,
       EXTRACT(epoch FROM pg_catalog.min(day))::float8 AS oldest
  FROM dated
""",
    needs=(
        *(f"account_move.{column}" for column in ("id", "company_id", "currency_id")),
        *(f"res_company.{column}" for column in ("id", "parent_id", "currency_id")),
        "res_currency.id",
        "res_currency.active",
        *(f"res_currency_rate.{column}" for column in ("currency_id", "company_id", "name")),
    ),
)

# auto_post was a boolean up to Odoo 15, and is a word since. The drafts are found in the index (journal_id, state,
# payment_state, move_type, date): the state as a range, so that no statistics lead the planner elsewhere, and of the
# last year only, as old drafts pile up that nobody will ever post.
POSTINGS = Query(
    """
WITH today AS MATERIALIZED (SELECT pg_catalog.timezone('UTC', pg_catalog.now())::date AS day)
SELECT pg_catalog.count(*) AS overdue
  FROM (
    SELECT d.how
      FROM (SELECT id FROM public.account_journal ORDER BY id LIMIT 500) j
     CROSS JOIN LATERAL (
       SELECT pg_catalog.to_jsonb(auto_post) #>> '{}' AS how FROM public.account_move
        WHERE journal_id = j.id AND state >= 'draft' AND state <= 'draft'
          AND date < (SELECT day FROM today) AND date >= (SELECT day FROM today) - 366
        ORDER BY journal_id, state, payment_state, move_type, date LIMIT 1000) d
     LIMIT 5000) draft
 WHERE COALESCE(how, 'no') NOT IN ('no', 'false')
""",
    needs=(
        "account_journal.id",
        *(
            f"account_move.{column}"
            for column in ("journal_id", "state", "payment_state", "move_type", "date", "auto_post")
        ),
    ),
)

LINKS = Query(
    """
SELECT pg_catalog.count(*) FILTER (WHERE state IS DISTINCT FROM 'connected') AS broken,
       EXTRACT(epoch FROM pg_catalog.min(last_refresh) FILTER (
         WHERE auto_sync IS NOT FALSE AND state <> 'disconnected'))::float8 AS oldest
  FROM public.account_online_link
""",
    needs=tuple(f"account_online_link.{column}" for column in ("state", "last_refresh", "auto_sync")),
    optional=True,
)
PROVIDERS = Query(
    """
SELECT 0::bigint AS broken, EXTRACT(epoch FROM pg_catalog.min(last_successful_run))::float8 AS oldest
  FROM public.online_bank_statement_provider WHERE active IS NOT FALSE
""",
    needs=tuple(f"online_bank_statement_provider.{column}" for column in ("active", "last_successful_run")),
    optional=True,
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Both kinds of feeds are added up; most databases have one, or none."""
    yield BANK_OLDEST(answer.one("bank")["oldest"])
    feeds = [row for name in ("links", "providers") for row in answer.rows(name)]
    if feeds:
        yield FEEDS_BROKEN(sum(row["broken"] for row in feeds))
        yield FEED_OLDEST(min((row["oldest"] for row in feeds if row["oldest"] is not None), default=None))
    rates = answer.one("rates")
    if rates["currencies"]:
        yield WITHOUT_RATE(rates["without"])
        yield RATE_OLDEST(rates["oldest"])
    yield OVERDUE(answer.one("postings")["overdue"])


FINANCE = Collector(
    "finance",
    {"bank": BANK, "rates": RATES, "postings": POSTINGS, "links": LINKS, "providers": PROVIDERS},
    read,
    (BANK_OLDEST, FEEDS_BROKEN, FEED_OLDEST, WITHOUT_RATE, RATE_OLDEST, OVERDUE),
    every=300.0,
    applies="account_move",
    budget=1.0,
)
