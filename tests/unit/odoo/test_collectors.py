"""What holds for all collectors of Odoo: names, rights, budget of series and time, and how they ask."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

import closewatch.odoo
from closewatch.core.collectors import Answer, Collector
from closewatch.core.deadline import Deadline
from closewatch.core.scrape import Scrape
from closewatch.core.source import Outcome, Reply
from closewatch.odoo import COLLECTORS, GRANTS
from closewatch.odoo.queue import STATES
from closewatch.sources.postgresql.query import Query
from tests.unit.odoo import test_cron, test_finance, test_growth, test_jobs, test_mail, test_queue, test_runner
from tests.unit.odoo.reading import PREFIX, TARGET

GRANTS_SQL = Path(closewatch.odoo.__file__).with_name("grants.sql")
SECRET = {
    "password", "totp_secret", "value", "args", "kwargs", "records", "exc_info", "exc_message", "result",
    "body_html", "email_to", "email_cc", "subject", "failure_reason", "access_token", "error_message",
    "store_fname", "db_datas", "amount", "amount_total", "rate", "partner_id", "ref",
}  # fmt: skip


def queries(collector: Collector) -> dict[str, tuple[Query, ...]]:
    """Each named question of a collector, with its alternatives."""
    return {name: (asked,) if isinstance(asked, Query) else asked for name, asked in collector.ask.items()}


ALL = {
    f"{collector.name}-{name}-{n}": query
    for collector in COLLECTORS
    for name, alternatives in queries(collector).items()
    for n, query in enumerate(alternatives)
}
each = pytest.mark.parametrize("query", ALL.values(), ids=ALL)


def test_metrics_and_help():
    families = [family for collector in COLLECTORS for family in collector.families]
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.name.startswith(PREFIX)
        assert family.help[0].isupper()
        assert family.help.endswith(".")


def test_time_on_the_server_stays_in_its_budget():
    """The slow lane shares the visit of one scrape in twenty, and has what is left of its time."""
    assert sum(collector.budget for collector in COLLECTORS if not collector.every) <= 1.2
    assert all(collector.budget <= 1 for collector in COLLECTORS)


@each
def test_names_in_sql_are_qualified(query: Query):
    """What somebody made in another schema can't be put in the place of the server's, or of Odoo's own."""
    bare = re.sub(r"'[^']*'", "''", query.sql)
    assert re.findall(r"(?<![\w.])pg_(?!catalog\.)\w+", bare) == []
    assert re.findall(r"(?<![\w.])(?:account|ir|mail|queue|res)_\w+", bare) == []
    assert re.findall(r"(?<![\w.])(?:count|sum|min|max|now|left|timezone|bool_or)\(", bare) == []
    assert ";" not in bare


@each
def test_what_is_read_is_needed_and_nothing_secret(query: Query):
    bare = re.sub(r"'[^']*'", "''", query.sql)
    tables = set(re.findall(r"public\.(\w+)", query.sql))
    assert tables == {need.partition(".")[0] for need in query.needs}
    for need in query.needs:
        assert re.search(rf"\b{need.rpartition('.')[2]}\b", query.sql), need
    assert not SECRET & {need.rpartition(".")[2] for need in query.needs}
    for word in SECRET - {"value"}:  # which is also what columns of an answer are called
        assert not re.search(rf"\b{word}\b", bare)


def test_alternatives_are_ordered_richest_first():
    for alternatives in itertools.chain(*(queries(collector).values() for collector in COLLECTORS)):
        for richer, poorer in itertools.combinations(alternatives, 2):
            assert not set(richer.needs) <= set(poorer.needs), "the second would never be taken"


def test_grants_sql_grants_what_is_needed_and_nothing_else():
    text = GRANTS_SQL.read_text(encoding="utf-8")
    granted = {
        table: tuple(re.findall(r"'(\w+)'", columns))
        for table, columns in re.findall(r"\('(\w+)', ARRAY\[([^\]]+)\]\)", text)
    }
    assert granted == dict(GRANTS)


def test_no_grant_shows_a_secret():
    assert GRANTS["ir_config_parameter"] == ("key",)
    assert "res_users" not in GRANTS
    assert not SECRET & set(itertools.chain(*GRANTS.values()))


class Worst:
    """A source in which everything is wrong at once, and named by somebody who wants many series."""

    def ask(self, *_):
        pairs = itertools.product(STATES, [f"root.c{n}" for n in range(20)])
        times = {"oldest_pending": 1.0, "oldest_enqueued": 1.0, "oldest_started": 1.0, "done": 1.0, "dead": 7.0}
        tables = {
            "base": [{"base": "18.0.1.3", "pending": 3, "neutralized": False}],
            "runner": [test_runner.row(alive=False, running=3)],
            "cron": [dict.fromkeys(test_cron.ROW, 1.0)],
            "tables": [{"overdue": 1, "worst": 1.0, "disabled": 1}],
            "growth": [test_growth.row(7, 1.0), test_growth.row(None, 1.0)],
            "queue": test_queue.rows(
                states=dict.fromkeys(STATES, 60_000),
                channels=dict.fromkeys(pairs, 100),
                classes={f"Error{n}": 10 for n in range(20)},
                **times,
            ),
        }
        answers = {name: {"main": rows} for name, rows in tables.items()} | {
            "mail": {"main": [dict.fromkeys(test_mail.ROW, 1)], "fetchmail": [dict.fromkeys(test_mail.BOXES, 1)]},
            "finance": {name: [dict.fromkeys(row, 1)] for name, row in test_finance.ANSWERS.items()},
            "jobs": {
                "main": [test_jobs.method(f"model.method_{n}") for n in range(20)],
                "channels": [{"name": f"root.c{n}", "used": 1.0} for n in range(20)],
            },
        }
        return Reply({name: Outcome([Answer(rows)]) for name, rows in answers.items()})

    def close(self):
        pass


def test_the_worst_database_stays_in_its_budget_of_series():
    samples = [one for one in Scrape(TARGET, Worst(), COLLECTORS).run(Deadline.after(5)) if one.value is not None]
    declared = {family for collector in COLLECTORS for family in collector.families}
    assert declared <= {sample.family for sample in samples}
    assert len(samples) <= 100, "of which 55 are of base, runner, cron and queue"
