"""What counts as a passed scenario: each way to fail has its reason."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from closewatch.demo.judge import Course, Delivery, Expected, Told, ended, unended, verdict

SERVER = {"environment": "production", "cell": "pg-07", "target": "pg-07"}
DOWN = {"alertname": "PostgresqlDown", "severity": "critical", "cause": "true", **SERVER}
MISSING = {"alertname": "PostgresqlStandbyMissing", "severity": "warning", **SERVER}
EXPECTED = Expected(
    Told("PostgresqlDown", "critical", labels={"cell": "pg-07", "tenant": ""}),
    also=(Told("PostgresqlDown", "critical", "closewatch-service", {"cell": "pg-07"}),),
)
PAGE = "closewatch-page"


def page(at: float, labels: Mapping[str, str] = DOWN, receiver: str = PAGE) -> Delivery:
    return Delivery(at, receiver, firing=(labels,))


def over(at: float, labels: Mapping[str, str] = DOWN, receiver: str = PAGE) -> Delivery:
    return Delivery(at, receiver, resolved=(labels,))


def course(
    *deliveries: Delivery, repaired: float | None = 50, hidden: frozenset[tuple[str, str]] = frozenset()
) -> Course:
    return Course(10, repaired, deliveries, hidden)


def test_one_page_and_its_end_is_passed():
    assert verdict(EXPECTED, course(page(20), over(60))) == []


def test_what_belongs_to_the_page_may_come_too():
    told = course(page(20), page(21, receiver="closewatch-service"), over(60), over(61, receiver="closewatch-service"))
    assert verdict(EXPECTED, told) == []


def test_what_came_before_the_fault_does_not_count():
    assert verdict(EXPECTED, course(page(5, MISSING, "closewatch-ticket"), page(20), over(60))) == []


FAILURES = {
    "nothing came": (course(), ["no page PostgresqlDown critical came to closewatch-page"]),
    "only before the fault": (
        course(page(9), over(60)),
        ["no page PostgresqlDown critical came to closewatch-page"],
    ),
    "another receiver": (
        course(page(20, receiver="closewatch-ticket"), over(60, receiver="closewatch-ticket")),
        [
            "no page PostgresqlDown critical came to closewatch-page",
            "PostgresqlDown came, but: it went to closewatch-ticket",
            "unexpected: PostgresqlDown critical (cell=pg-07, target=pg-07) to closewatch-ticket",
        ],
    ),
    "another cell, and a tenant": (
        course(
            page(20, DOWN | {"cell": "pg-08", "tenant": "acme"}), over(60, DOWN | {"cell": "pg-08", "tenant": "acme"})
        ),
        [
            "no page PostgresqlDown critical came to closewatch-page",
            "PostgresqlDown came, but: cell is 'pg-08', expected 'pg-07', tenant is 'acme', expected ''",
            "unexpected: PostgresqlDown critical (cell=pg-08, tenant=acme, target=pg-07) to closewatch-page",
        ],
    ),
    "a ticket besides": (
        course(page(20), page(25, MISSING, "closewatch-ticket"), over(60), over(60, MISSING, "closewatch-ticket")),
        ["unexpected: PostgresqlStandbyMissing warning (cell=pg-07, target=pg-07) to closewatch-ticket"],
    ),
    "a ticket after the repair": (
        course(page(20), over(60), page(65, MISSING, "closewatch-ticket"), over(66, MISSING, "closewatch-ticket")),
        ["unexpected: PostgresqlStandbyMissing warning (cell=pg-07, target=pg-07) to closewatch-ticket"],
    ),
    "two pages": (course(page(20), page(30), over(60)), ["the page came 2 times"]),
    "flapping": (
        course(page(20), over(30), page(40), over(60)),
        ["the page came 2 times", "the page was called resolved before the repair"],
    ),
    "too late": (course(page(55), over(60)), ["the page came only after the repair"]),
    "resolved too early, and never after": (
        course(page(20), over(30)),
        ["the page was called resolved before the repair", "the page was not called resolved after the repair"],
    ),
    "never resolved": (
        course(page(20)),
        [
            "the page was not called resolved after the repair",
            "not called resolved: PostgresqlDown (cell=pg-07, target=pg-07) at closewatch-page",
        ],
    ),
    "the other notice is not resolved": (
        course(page(20), page(21, receiver="closewatch-service"), over(60)),
        ["not called resolved: PostgresqlDown (cell=pg-07, target=pg-07) at closewatch-service"],
    ),
    "never repaired": (course(page(20), repaired=None), ["the fault was not repaired"]),
}


@pytest.mark.parametrize("name", FAILURES)
def test_every_other_course_fails_with_its_reason(name):
    told, reasons = FAILURES[name]
    assert verdict(EXPECTED, told) == reasons


def test_what_must_be_hidden_must_have_been_seen_hidden():
    expected = Expected(
        EXPECTED.page, hidden=(("OdooDatabaseUnavailable", "acme"), ("OdooDatabaseUnavailable", "borealis"))
    )
    seen = frozenset({("OdooDatabaseUnavailable", "acme")})
    assert verdict(expected, course(page(20), over(60), hidden=seen)) == [
        "OdooDatabaseUnavailable of borealis was not hidden"
    ]


def test_the_end_is_looked_for_after_the_repair_only():
    assert ended(EXPECTED.page, course(page(20), over(30))) is None
    assert ended(EXPECTED.page, course(page(20), over(30), over(60))) == over(60)
    assert ended(EXPECTED.page, course(page(20), over(60), repaired=None)) is None


def test_an_alert_of_a_group_ends_alone():
    """A group's message holds what still fires and what has ended."""
    both = Delivery(20, PAGE, firing=(DOWN, MISSING))
    half = Delivery(30, PAGE, firing=(MISSING,), resolved=(DOWN,))
    assert len(unended(course(both))) == 2
    assert unended(course(both, half)) == [
        "not called resolved: PostgresqlStandbyMissing (cell=pg-07, target=pg-07) at closewatch-page"
    ]
