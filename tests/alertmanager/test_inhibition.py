"""What hides what, on a real Alertmanager with the shipped rules: each case in an environment of its own.

All cases are posted to one server. The state that it tells of an alert is worked out when it is asked; a last pair,
posted after all others, shows that it has taken in everything before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from closewatch.engines.alertmanager import AlertmanagerServer
from closewatch.engines.binaries import find_all
from closewatch.engines.process import wait_until
from closewatch.engines.sink import Sink
from tests.alertmanager import shipped
from tests.alertmanager.posting import post
from tests.fixtures.servers import missing

LAYERS = ["storage", "database", "cache", "application", "ingress", "user"]
DOMAINS = ["availability", "integrity", "confidentiality", "recoverability"]


def alert(name: str, **labels: str) -> dict[str, str]:
    """An alert with the labels that every rule of closewatch sets."""
    standard = {"severity": "critical", "domain": "availability", "audience": "platform", "cell": "pg-07"}
    return {label: value for label, value in {"alertname": name, **standard, **labels}.items() if value}


@dataclass
class Case:
    """What fires together, and which of it must be hidden; the rest must not be."""

    name: str
    alerts: list[dict[str, str]]
    hidden: set[str] = field(default_factory=set)
    environment: str = ""


def cause(layer: str, **labels: str) -> dict[str, str]:
    return alert("Cause", layer=layer, cause="true", **labels)


def steps() -> Iterator[Case]:
    """A cause in each layer against an alert in each layer: the ones above are hidden, and nothing else."""
    for low, other in itertools.product(LAYERS, LAYERS):
        above = LAYERS.index(other) > LAYERS.index(low)
        hidden = {"Symptom"} if above else set()
        symptom = alert("Symptom", layer=other, tenant="acme")
        yield Case(f"shared {low}, tenant's {other}", [cause(low), symptom], hidden)
        yield Case(f"tenant's {low}, tenant's {other}", [cause(low, tenant="acme"), symptom], hidden)
        yield Case(f"shared {low}, shared {other}", [cause(low), alert("Symptom", layer=other)], hidden)
        yield Case(f"tenant's {low}, shared {other}", [cause(low, tenant="acme"), alert("Symptom", layer=other)])


def domains() -> Iterator[Case]:
    """Only availability hides, and only availability is hidden."""
    for of_cause, of_symptom in itertools.product(DOMAINS, DOMAINS):
        both = [
            cause("database", domain=of_cause),
            alert("Symptom", layer="application", tenant="acme", domain=of_symptom),
        ]
        hidden = {"Symptom"} if of_cause == of_symptom == "availability" else set()
        yield Case(f"{of_cause} against {of_symptom}", both, hidden)


SYMPTOM = alert("Symptom", layer="application", tenant="acme")
SLOTS = {"layer": "database", "target": "pg-07"}
SINGLE = [
    Case("another cell's tenants are not hidden", [cause("database"), SYMPTOM | {"cell": "pg-08"}]),
    Case(
        "a tenant's own cause reaches across cells, another tenant's doesn't",
        [
            cause("database", tenant="acme"),
            SYMPTOM | {"cell": "nodes-1"},
            alert("Other", layer="application", tenant="bolt"),
        ],
        {"Symptom"},
    ),
    Case("what can serve is no cause", [cause("database") | {"cause": "false"}, SYMPTOM]),
    Case("a warning that is a cause hides too", [cause("database", severity="warning"), SYMPTOM], {"Symptom"}),
    Case("a cause in observe mode hides nothing", [cause("database", closewatch_mode="observe"), SYMPTOM]),
    Case(
        "a cause in observe mode beside a real one",
        [cause("database", closewatch_mode="observe"), alert("Real", layer="storage", cause="true"), SYMPTOM],
        {"Cause", "Symptom"},
    ),
    Case(
        "a critical in observe mode doesn't hide its warning",
        [
            alert("Slot", closewatch_mode="observe", **SLOTS),
            alert("Slot", severity="warning", id="warning", **SLOTS),
        ],
    ),
    Case("a shared cause without cell hides nothing", [cause("database", cell=""), SYMPTOM | {"cell": ""}]),
    Case("a tenant without cell isn't hidden by a shared cause", [cause("database"), SYMPTOM | {"cell": ""}]),
    Case("storage hides the application past the database", [cause("storage"), SYMPTOM], {"Symptom"}),
    Case(
        "a hidden cause goes on hiding",
        [cause("storage"), alert("Database", layer="database", cause="true"), SYMPTOM],
        {"Database", "Symptom"},
    ),
    Case(
        "a cache that can't serve is a fault of its own, whatever the database does",
        [cause("database"), alert("Cache", layer="cache", cause="true"), alert("Sessions", layer="cache")],
        {"Sessions"},
    ),
    Case("alerts of closewatch itself are never hidden", [cause("storage"), alert("Collector", layer="platform")]),
    Case(
        "a critical hides its own warning, also that of another measure",
        [
            alert("Lag", measure="seconds", **SLOTS),
            alert("Lag", severity="warning", measure="bytes", id="warning", **SLOTS),
        ],
        {"warning"},
    ),
    Case(
        "a critical hides no other target's warning",
        [alert("Lag", **SLOTS), alert("Lag", severity="warning", layer="database", target="pg-09", id="warning")],
    ),
    Case(
        "a critical hides no other tenant's warning",
        [alert("Queue", tenant="acme"), alert("Queue", severity="warning", tenant="bolt", id="warning")],
    ),
    Case(
        "a critical hides no other alert's warning",
        [alert("Queue", tenant="acme"), alert("Cron", severity="warning", tenant="acme")],
    ),
    Case(
        "alerts of others, without audience, are left alone",
        [alert("Pod", audience=""), alert("Pod", audience="", severity="warning", namespace="shop", id="warning")],
    ),
]
CASES = [*steps(), *domains(), *SINGLE]
for number, case in enumerate(CASES):
    case.environment = f"e{number}"
NO_ENVIRONMENT = Case("without environment nothing hides", [cause("database"), SYMPTOM])


@pytest.fixture(scope="module")
def states(run_folder, pytestconfig) -> Iterator[dict[tuple[str, str], bool]]:
    """(environment, alert) -> whether Alertmanager hides it."""
    if not find_all("alertmanager"):
        missing(pytestconfig, "alertmanager is not on PATH nor in the engines' folder")
    with Sink() as sink:
        config = shipped.recorded(shipped.shortened(shipped.load()), sink)
        server = AlertmanagerServer(run_folder, config, shipped.TEMPLATES, name="inhibition").start()
        for each in [*CASES, NO_ENVIRONMENT]:
            post(
                server,
                [labels | ({"environment": each.environment} if each.environment else {}) for labels in each.alerts],
            )
        post(server, [cause("database", environment="last"), SYMPTOM | {"environment": "last"}])

        def hidden() -> dict[tuple[str, str], bool]:
            return {
                (one["labels"].get("environment", ""), one["labels"].get("id", one["labels"]["alertname"])): bool(
                    one["status"]["inhibitedBy"]
                )
                for one in server.alerts()
            }

        wait_until(lambda: hidden().get(("last", "Symptom")), 30, "the last alert is hidden")
        yield hidden()
        server.stop()


@pytest.mark.parametrize("case", [*CASES, NO_ENVIRONMENT], ids=lambda case: case.name)
def test_hidden_is(states, case):
    names = [labels.get("id", labels["alertname"]) for labels in case.alerts]
    assert len(set(names)) == len(names)
    assert {name for name in names if states[case.environment, name]} == case.hidden
