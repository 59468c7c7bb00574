"""What is hidden since when, and who was told: the judgements of the two checks, and what a scrape shows of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from closewatch.alertmanager import COLLECTORS, silences, status, told
from closewatch.alertmanager.alerts import AUDIENCES, Alert, firing, moment, written
from closewatch.alertmanager.notification import Mention
from closewatch.alertmanager.silences import Silence, carried, hide, read_silences
from closewatch.alertmanager.told import Before, judge, known
from closewatch.core.collectors import Answer, Collector
from closewatch.core.reasons import Unavailable
from closewatch.core.records import Record
from closewatch.core.records.record import make, timestamp
from closewatch.core.targets import Target
from tests.alertmanager import shipped

NOW = 1_795_840_000.0
FINGERPRINT = "0123456789abcdef"
SILENCE = "7d2a1b9e-0c1f-4a55-9d43-52f1f5a0c1aa"
LABELS = {"alertname": "PostgresqlDown", "severity": "critical", "tenant": "acme"}


def given(**changes: Any) -> dict[str, Any]:
    """An alert of the API."""
    state = {"state": "active", "silencedBy": [], "inhibitedBy": []}
    times = {"startsAt": written(NOW - 600), "endsAt": written(NOW + 240), "updatedAt": written(NOW)}
    return {"labels": LABELS, "annotations": {}, "fingerprint": FINGERPRINT, "status": state, **times, **changes}


def alert(starts: float, *silenced: str) -> Alert:
    return Alert(FINGERPRINT, LABELS, starts, "suppressed" if silenced else "active", silenced)


def silence(starts: float, name: str = SILENCE) -> Silence:
    return Silence(name, "active", starts, NOW + 3600, 'tenant="acme"', "0" * 64, 5)


def record(payload: dict[str, Any], end: float = NOW) -> Record:
    return make({"check": "told", "result": "passed", "start": timestamp(end), "end": timestamp(end)}, payload, None)


# ---- alerts of the API


def test_what_is_over_or_only_tried_out_does_not_fire():
    over = given(endsAt=written(NOW - 1))
    tried = given(labels=LABELS | {"closewatch_mode": "observe"})
    (found,) = firing([over, tried, given()], NOW)
    assert (found.fingerprint, found.labels, found.starts) == (FINGERPRINT, LABELS, NOW - 600)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": None}, {"status": None}, {"status": {"state": "active"}}, {"fingerprint": "x"}, {"endsAt": 7},
        {"status": {"state": "suppressed", "silencedBy": [{}]}}, {"startsAt": "0001-01-01T00:00:00Z"},
    ],
)  # fmt: skip
def test_what_is_no_alert_is_an_invalid_answer(change):
    with pytest.raises(Unavailable, match="invalid_answer"):
        firing([given(**change)], NOW)


# ---- silences


def of_api(**changes: Any) -> dict[str, Any]:
    matchers = [
        {"name": "tenant", "value": "acme", "isRegex": False, "isEqual": True},
        {"name": "alertname", "value": 'a"b|c', "isRegex": True, "isEqual": False},
    ]
    times = {"startsAt": written(NOW - 60), "endsAt": written(NOW + 60), "updatedAt": written(NOW)}
    about = {"id": SILENCE, "createdBy": "somebody", "comment": "a word", "status": {"state": "active"}}
    return {**about, "matchers": matchers, **times, **changes}


def test_what_is_kept_of_a_silence():
    ended = of_api(status={"state": "expired"})
    (found,) = read_silences([ended, of_api()])
    document = found.document()
    assert document["matchers"] == 'tenant="acme", alertname!~"a\\"b|c"'
    assert document["comment_length"] == 6
    assert "somebody" not in str(document)
    assert "a word" not in str(document)
    assert len(document["createdBy"]) == 64


def test_what_a_silence_matches_is_cut():
    (found,) = read_silences([of_api(matchers=[{"name": "a", "value": "\ud800" * 9_999, "isRegex": False}])])
    assert len(found.matchers) == silences.LONGEST


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../x"}, {"status": None}, {"matchers": None}, {"matchers": ["x"]}, {"matchers": {"a": 1}},
        {"startsAt": "soon"}, {"endsAt": None},
    ],
)  # fmt: skip
def test_what_is_no_silence_is_an_invalid_answer(change):
    with pytest.raises(Unavailable, match="invalid_answer"):
        read_silences([of_api(**change)])


def since(found: list[dict[str, Any]]) -> float | None:
    (one,) = found
    return moment(one["sinceAt"])


def test_an_alert_is_hidden_since_its_silence_began_or_it_began_itself():
    assert since(hide([alert(NOW - 600, SILENCE)], [silence(NOW - 60)], {}, NOW)) == NOW - 60
    assert since(hide([alert(NOW - 30, SILENCE)], [silence(NOW - 60)], {}, NOW)) == NOW - 30
    assert hide([alert(NOW - 600)], [silence(NOW - 60)], {}, NOW) == []


def test_of_two_silences_the_earlier_counts():
    both = [silence(NOW - 60), silence(NOW - 90, "other")]
    assert since(hide([alert(NOW - 600, SILENCE, "other")], both, {}, NOW)) == NOW - 90


def test_silences_that_follow_each_other_are_one():
    before = {FINGERPRINT: NOW - 9_000}
    assert since(hide([alert(NOW - 9_999, SILENCE)], [silence(NOW - 60)], before, NOW)) == NOW - 9_000
    # But the alert came back meanwhile: it is another outage.
    assert since(hide([alert(NOW - 100, SILENCE)], [silence(NOW - 60)], before, NOW)) == NOW - 100


def test_what_earlier_looks_found_is_carried_over_those_that_could_not_ask():
    payload = {"hidden": [{"fingerprint": FINGERPRINT, "sinceAt": written(NOW - 500)}]}
    history = [record({}), record(payload, NOW - 900), record({"hidden": []}, NOW - 1800)]
    assert carried(history, NOW - 2700) == {FINGERPRINT: NOW - 500}
    assert carried(history, NOW - 100) == {}  # too long ago: who knows what was in between
    assert carried([], NOW) == {}


# ---- told


def names(of: list[Any]) -> int:
    return len(of)


def test_told_is_what_a_notification_of_this_time_says():
    fires = alert(NOW - 600)
    sent = {FINGERPRINT: Mention(True, NOW - 600, NOW - 570)}
    assert judge([fires], sent, Before({}, {}), 900) == ([fires], [])


def test_alertmanager_may_have_joined_it_to_an_earlier_beginning():
    fires = alert(NOW - 5_000)
    sent = {FINGERPRINT: Mention(True, NOW - 600, NOW - 570)}
    assert judge([fires], sent, Before({}, {}), 900) == ([fires], [])


def test_a_word_on_an_earlier_time_is_none_on_this():
    sent = {FINGERPRINT: Mention(True, NOW - 90_000, NOW - 80_000)}
    told_, due = judge([alert(NOW - 600)], sent, Before({}, {}), 900)
    assert (told_, since(due)) == ([], NOW - 600)


def test_what_was_away_for_a_moment_was_told():
    sent = {FINGERPRINT: Mention(True, NOW - 90_000, NOW - 1_000)}
    assert names(judge([alert(NOW - 600)], sent, Before({}, {}), 900)[0]) == 1


def test_after_it_was_said_to_be_over_it_must_be_told_anew():
    sent = {FINGERPRINT: Mention(False, NOW - 90_000, NOW - 1_000)}
    assert names(judge([alert(NOW - 600)], sent, Before({}, {}), 900)[1]) == 1


def test_what_was_told_once_stays_told_while_it_fires():
    before = Before({FINGERPRINT: NOW - 600}, {})
    assert names(judge([alert(NOW - 600)], {}, before, 900)[0]) == 1
    assert names(judge([alert(NOW - 500)], {}, before, 900)[1]) == 1  # another time


def test_what_is_silenced_is_not_due_but_stays_told():
    hidden = alert(NOW - 600, SILENCE)
    assert judge([hidden], {}, Before({}, {}), 900) == ([], [])
    assert judge([hidden], {}, Before({FINGERPRINT: NOW - 600}, {}), 900) == ([hidden], [])


def test_ours_are_those_that_the_shipped_route_brings_here():
    (route,) = shipped.load("records-fragment.yml")["route"]["routes"]
    (audiences,) = re.findall(r'audience=~"([^"]*)"', " ".join(route["matchers"]))
    assert set(audiences.split("|")) == AUDIENCES
    given_ = [given(labels=LABELS | more) for more in ({}, {"audience": "dba"}, {"audience": "platform"})]
    assert [one.ours for one in firing(given_, NOW)] == [False, False, True]


def test_what_was_silenced_until_the_last_look_is_due_since_then():
    fires = alert(NOW - 90_000)
    assert since(judge([fires], {}, Before({}, {}, NOW - 300), 900)[1]) == NOW - 300
    assert since(judge([fires], {}, Before({}, {FINGERPRINT: NOW - 5_000}, NOW - 300), 900)[1]) == NOW - 5_000
    assert since(judge([fires], {}, Before({}, {}), 900)[1]) == NOW - 90_000  # nobody looked before


def test_after_a_long_gap_who_was_told_is_known_and_who_was_due_is_not():
    row = {"fingerprint": FINGERPRINT, "startsAt": written(NOW - 600), "sinceAt": written(NOW - 500)}
    history = [record({}), record({"told": [row], "due": [row]}, NOW - 300)]
    assert known(history, NOW - 900) == Before({FINGERPRINT: NOW - 600}, {FINGERPRINT: NOW - 500}, NOW - 300)
    assert known(history, NOW - 100) == Before({FINGERPRINT: NOW - 600}, {})
    assert known([], NOW) == Before({}, {})


# ---- what a scrape shows


def shown(collector: Collector, payload: dict[str, Any] | None) -> dict[str, float]:
    rows = [] if payload is None else [{"payload": payload, "end": NOW}]
    samples = collector.read(
        Answer({"newest": rows, "passed": []}), Target.of("alertmanager", "a", environment="e"), {}
    )
    return {":".join((s.family.name.rpartition("alertmanager_")[2], *s.labels)): s.value for s in samples}


def test_each_name_once_with_its_earliest_and_twenty_at_most():
    rows = [{"alertname": f"A{number:02}", "sinceAt": written(NOW - number)} for number in range(30)] * 2
    rows += [{"alertname": "A29", "sinceAt": written(NOW)}, {"sinceAt": written(NOW - 99)}]
    found = shown(told.TOLD, {"untold": rows})
    assert len(found) == 20
    assert found["critical_untold_since_timestamp_seconds:A29"] == NOW - 29
    assert found["critical_untold_since_timestamp_seconds:"] == NOW - 99
    assert "critical_untold_since_timestamp_seconds:A10" not in found


def test_silences_are_counted_and_what_they_hide_is_named():
    payload = silences.document([silence(NOW)], hide([alert(NOW - 9, SILENCE)], [silence(NOW - 5)], {}, NOW))
    assert shown(silences.SILENCES, payload) == {
        "silences:active": 1,
        "silences:pending": 0,
        "critical_silenced_since_timestamp_seconds:PostgresqlDown": NOW - 5,
    }


def test_where_nothing_is_recorded_nothing_is_said():
    assert [shown(one, payload) for one in (told.TOLD, silences.SILENCES) for payload in (None, {})] == [{}] * 4
    assert shown(status.NOTIFIED, None) == {"notifications_recorded_timestamp_seconds": None}
    assert {one.recorded for one in COLLECTORS} == {"", "silences", "told", "notification"}
