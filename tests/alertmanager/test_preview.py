"""The preview's own Alertmanager tells the same as the real one: receivers, what is hidden, and when messages go out.

The cases of routes and inhibition are those that the real amtool and the real Alertmanager are tested with.
"""

from __future__ import annotations

import time

import pytest
import yaml

from closewatch.alerting.preview.history import Episode
from closewatch.alerting.preview.messages import Message, messages, visible
from closewatch.alerting.preview.routing import Routing, load
from closewatch.engines.process import wait_until
from tests.alertmanager import shipped, test_inhibition, test_routes
from tests.alertmanager.posting import post, resolve

DAY = 86_400.0


@pytest.fixture(scope="module")
def routing() -> Routing:
    return load((shipped.FOLDER / "alertmanager.yml").read_text("utf-8"))


@pytest.mark.parametrize("name", test_routes.CASES)
def test_an_alert_goes_where_amtool_says(routing, name):
    labels, receivers = test_routes.CASES[name]
    found = routing.root.matching({**test_routes.PRODUCTION, **labels})
    assert {route.receiver for route in found} == receivers


def test_what_is_hidden_is_what_alertmanager_hides(routing):
    wrong = []
    for case in test_inhibition.CASES:
        episodes = [Episode({**one, "environment": case.environment or "x"}, 0.0, 100.0) for one in case.alerts]
        pieces = visible(episodes, routing.inhibitions)
        hidden = {one.get("id", one["alertname"]) for one, shown in zip(case.alerts, pieces, strict=True) if not shown}
        if hidden != case.hidden:
            wrong.append((case.name, hidden, case.hidden))
    assert wrong == []


def test_observe_mode_is_silent_and_hides_nothing(routing):
    assert routing.routes({"closewatch_mode": "observe", "severity": "critical"}) == []


def played_by(routing: Routing, episodes: list[Episode]) -> list[Message]:
    return messages(episodes, routing, visible(episodes, routing.inhibitions))


def labels(name: str, **more: str) -> dict[str, str]:
    return {"alertname": name, "severity": "critical", "domain": "availability", "audience": "platform", **more}


def test_a_night_of_it_is_told_once_and_repeated(routing):
    one = labels("PostgresqlDown", environment="production", cell="pg-07", target="pg-07", layer="database")
    sent = played_by(routing, [Episode(one, 0.0, 5 * 3600.0)])
    pages = [message for message in sent if message.receiver == "closewatch-page"]
    assert [(message.at, message.repeat) for message in pages] == [(30, False), (7530, True), (15030, True)]


def test_what_is_over_before_the_wait_is_told_to_nobody(routing):
    one = labels("PostgresqlDown", environment="production", cell="pg-07", target="pg-07", layer="database")
    assert played_by(routing, [Episode(one, 100.0, 120.0)]) == []


def test_two_of_a_group_are_one_message_and_a_later_third_another(routing):
    place = {"environment": "production", "cell": "pg-07", "layer": "database"}
    episodes = [
        Episode(labels("A", target="1", **place), 0.0, DAY / 24),
        Episode(labels("B", target="1", **place), 10.0, DAY / 24),
        Episode(labels("C", target="1", **place), 100.0, DAY / 24),
    ]
    assert [(message.at, message.alerts) for message in played_by(routing, episodes)] == [
        (30, (0, 1)),
        (330, (0, 1, 2)),
    ]


def test_the_time_line_is_that_of_a_real_alertmanager(alertmanager, sink):
    """Three alerts, one of them hidden for a while: the real messages, and those that the preview makes of it."""
    config = {
        "route": {
            "receiver": "people",
            "group_by": ["cell"],
            "group_wait": "1s",
            "group_interval": "2s",
            "repeat_interval": "1h",
        },
        "inhibit_rules": [
            {"source_matchers": ['layer="database"'], "target_matchers": ['layer="application"'], "equal": ["cell"]}
        ],
        "receivers": [{"name": "people", "webhook_configs": [{"url": sink.url("people"), "send_resolved": True}]}],
    }
    server = alertmanager(yaml.safe_dump(config))
    cause = {"alertname": "Cause", "layer": "database", "cell": "one"}
    symptom = {"alertname": "Symptom", "layer": "application", "cell": "one"}
    other = {"alertname": "Other", "layer": "user", "cell": "one"}
    began = time.time()
    post(server, [cause, symptom])
    wait_until(lambda: len(sink.notifications()) == 1, 20, "the first message")
    at_other = time.time()
    post(server, [other])
    wait_until(lambda: len(sink.notifications()) == 2, 20, "the second")
    over = time.time()
    resolve(server, [cause])
    wait_until(lambda: any("Symptom" in firing(one) for one in sink.notifications()), 20, "what was hidden is told")

    real = [firing(one) for one in sink.notifications()]
    episodes = [
        Episode(cause, began, over),
        Episode(symptom, began, began + DAY / 48),
        Episode(other, at_other, began + DAY / 48),
    ]
    played = played_by(load(yaml.safe_dump(config)), episodes)
    assert [{episodes[number].labels["alertname"] for number in one.alerts} for one in played] == real


def firing(notification) -> set[str]:
    return {one["labels"]["alertname"] for one in notification.alerts if one["status"] == "firing"}
