"""Month end: a processing spike in one cell, and what people are really sent by a real Alertmanager.

The spike blocks sessions of PostgreSQL pg-07; queues of its tenants back up, requests time out, users retry. Cell
pg-08 has a fault of its own at the same time.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from closewatch.engines.alertmanager import AlertmanagerServer
from closewatch.engines.process import wait_until
from closewatch.engines.sink import Sink
from tests.alertmanager import shipped
from tests.alertmanager.posting import post, resolve

Labels = dict[str, str]
IMPACT = "Invoicing, payment runs and closing are slow or stand still for every tenant on this server."


def alert(name: str, layer: str, severity: str = "critical", **labels: str) -> Labels:
    standard = {"domain": "availability", "audience": "platform", "environment": "production", "cell": "pg-07"}
    return {"alertname": name, "layer": layer, "severity": severity, **standard, **labels}


CAUSE = alert("PostgresqlSessionsBlocked", "database", cause="true", target="pg-07")
ITS_WARNING = alert("PostgresqlSessionsBlocked", "database", "warning", target="pg-07")
SYMPTOMS = [
    alert("OdooQueueStalled", "application", tenant="acme", target="acme"),
    alert("OdooQueueStalled", "application", tenant="bolt", target="bolt"),
    alert("OdooDatabaseUnavailable", "application", tenant="acme", target="acme", cause="true"),
    alert("OdooQueueJobsFailed", "application", "warning", tenant="acme", target="acme", audience="service"),
    alert("OdooCronLate", "application", "warning"),
    alert("RedisSessionsFull", "cache", "warning"),
    alert("IngressRequestsTimeOut", "ingress", target="ingress-1"),
    alert("JourneyInvoicingFails", "user", tenant="bolt", target="invoicing", audience="service"),
]
OTHER_CELL = alert("OdooQueueStalled", "application", tenant="cargo", target="cargo", cell="pg-08")
NOT_AVAILABILITY = [
    alert("LedgerUnbalanced", "application", tenant="acme", target="acme", domain="integrity", audience="service"),
    alert("UsersWithoutSecondFactor", "application", tenant="acme", domain="confidentiality", audience="security"),
    alert("RestoreTestFailed", "application", tenant="bolt", domain="recoverability", target="bolt"),
]

Start = Callable[[], AlertmanagerServer]


@pytest.fixture
def start(alertmanager, sink) -> Start:
    """Starts Alertmanager with the shipped configuration, shortened, recording at the sink."""
    return lambda: alertmanager(shipped.recorded(shipped.shortened(shipped.load()), sink), shipped.TEMPLATES)


def sent(sink: Sink, receiver: str) -> set[tuple[str, str]]:
    """(alert, tenant or target) of all firing alerts that a receiver was sent."""
    return {
        (each["labels"]["alertname"], each["labels"].get("tenant") or each["labels"].get("target", ""))
        for message in sink.notifications(receiver)
        for each in message.alerts
        if each["status"] == "firing"
    }


def settled(server: AlertmanagerServer, sink: Sink, expected: dict[str, set[tuple[str, str]]], number: int = 1) -> None:
    """Assert that each receiver is sent what is expected of it, and that nobody is sent anything else.

    Once the expected has come, one more alert of a system aside is posted: its group waits later than all others.
    """
    for receiver, alerts in expected.items():
        wait_until(lambda r=receiver, a=alerts: sent(sink, r) >= a, 30, f"{alerts} at {receiver}")
    name = f"Last{number}"
    post(server, [alert(name, "database", cause="true", environment="aside", cell=name, target=name)])
    for receiver in ("closewatch-page", "closewatch-service"):
        wait_until(lambda r=receiver: (name, name) in sent(sink, r), 30, f"{name} at {receiver}")
    found = {
        each.channel: {one for one in sent(sink, each.channel) if one[0][:4] != "Last"} for each in sink.notifications()
    }
    assert {receiver: alerts for receiver, alerts in found.items() if alerts} == expected


BLOCKED, STALLED = ("PostgresqlSessionsBlocked", "pg-07"), "OdooQueueStalled"


def test_one_page_for_the_database_naming_what_is_affected(start, sink):
    server = start()
    post(server, [CAUSE, ITS_WARNING, *SYMPTOMS], {"impact": IMPACT})
    settled(server, sink, {"closewatch-page": {BLOCKED}, "closewatch-service": {BLOCKED}})
    [page] = [each for each in sink.notifications("closewatch-page") if each.body["commonLabels"]["cell"] == "pg-07"]
    assert page.body["commonLabels"]["severity"] == "critical"
    assert page.body["commonAnnotations"]["impact"] == IMPACT


def test_a_fault_in_one_cell_hides_nothing_in_the_other(start, sink):
    server = start()
    post(server, [CAUSE, *SYMPTOMS, OTHER_CELL])
    settled(server, sink, {"closewatch-page": {BLOCKED, (STALLED, "cargo")}, "closewatch-service": {BLOCKED}})


def test_integrity_confidentiality_and_recoverability_come_through(start, sink):
    server = start()
    post(server, [CAUSE, *SYMPTOMS, *NOT_AVAILABILITY])
    ledger = ("LedgerUnbalanced", "acme")
    expected = {
        "closewatch-page": {BLOCKED, ledger, ("RestoreTestFailed", "bolt")},
        "closewatch-service": {BLOCKED, ledger},
        "closewatch-security-page": {("UsersWithoutSecondFactor", "acme")},
    }
    settled(server, sink, expected)


def test_a_cause_in_observe_mode_is_sent_nowhere_and_hides_nothing(start, sink):
    """Odoo of acme is itself a cause here, and hides what lies above it within the tenant only: nothing of these."""
    server = start()
    post(server, [CAUSE | {"closewatch_mode": "observe"}, *SYMPTOMS])
    unavailable = ("OdooDatabaseUnavailable", "acme")
    invoicing = ("JourneyInvoicingFails", "bolt")
    expected = {
        "closewatch-page": {
            (STALLED, "acme"),
            (STALLED, "bolt"),
            unavailable,
            invoicing,
            ("IngressRequestsTimeOut", "ingress-1"),
        },
        "closewatch-service": {unavailable, invoicing, ("OdooQueueJobsFailed", "acme")},
        "closewatch-ticket": {("OdooCronLate", ""), ("RedisSessionsFull", "")},
    }
    settled(server, sink, expected)


def test_what_still_fires_when_the_cause_has_ended_is_sent_then(start, sink):
    server = start()
    post(server, [CAUSE, SYMPTOMS[0]])
    settled(server, sink, {"closewatch-page": {BLOCKED}, "closewatch-service": {BLOCKED}})
    resolve(server, [CAUSE])
    wait_until(lambda: (STALLED, "acme") in sent(sink, "closewatch-page"), 30, "the symptom is sent")
    wait_until(
        lambda: [each for each in sink.notifications("closewatch-page") if each.status == "resolved"], 30, "the end"
    )
    [over] = [each for each in sink.notifications("closewatch-page") if each.status == "resolved"]
    assert [each["labels"]["alertname"] for each in over.alerts] == ["PostgresqlSessionsBlocked"]


def test_two_hundred_databases_on_a_server_that_stops_are_one_page(start, sink):
    server = start()
    down = alert("PostgresqlDown", "database", cause="true", target="pg-07")
    tenants = [
        alert("OdooDatabaseUnavailable", "application", cause="true", tenant=f"t{number}", target=f"t{number}")
        for number in range(200)
    ]
    post(server, [*tenants, down])
    page = {("PostgresqlDown", "pg-07")}
    settled(server, sink, {"closewatch-page": page, "closewatch-service": page})
