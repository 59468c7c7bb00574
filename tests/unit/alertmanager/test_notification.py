"""Notifications as they are posted: what is kept, what is refused, and what the newest word on an alert is."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closewatch.alertmanager.notification import MOST, MalformedError, Mention, mentions, read
from closewatch.core.records.canonical import canonical

ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "PostgresqlDown", "severity": "critical", "tenant": "acme", "instance": "10.0.0.1"},
    "annotations": {"summary": "a text that is nobody's business"},
    "startsAt": "2026-11-28T03:00:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph?secret",
    "fingerprint": "0123456789abcdef",
}
DOCUMENT: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{tenant="acme"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "page",
    "groupLabels": {"tenant": "acme"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager",
    "alerts": [ALERT],
}


def posted(**changes: Any) -> bytes:
    return json.dumps(DOCUMENT | changes).encode()


def test_who_was_told_of_what_is_kept_and_no_text():
    assert read(posted()) == {
        "receiver": "page",
        "status": "firing",
        "groupKey": hashlib.sha256(b'{}:{tenant="acme"}').hexdigest(),
        "truncatedAlerts": 0,
        "alerts": [
            {
                "fingerprint": "0123456789abcdef",
                "alertname": "PostgresqlDown",
                "severity": "critical",
                "tenant": "acme",
                "status": "firing",
                "startsAt": "2026-11-28T03:00:00.123Z",
                "endsAt": None,
            }
        ],
    }


def test_of_many_alerts_the_critical_ones_are_kept_first_and_the_rest_is_counted():
    minor = ALERT | {"labels": {"alertname": "Other", "severity": "warning"}}
    found = read(posted(alerts=[minor] * (MOST + 3) + [ALERT], truncatedAlerts=5))
    assert (len(found["alerts"]), found["truncatedAlerts"]) == (MOST, 9)
    assert found["alerts"][0]["alertname"] == "PostgresqlDown"


def test_a_hostile_name_is_cut_and_can_be_kept():
    labels = {"alertname": "x" * 10_000, "tenant": "\ud800\0", "target": 7, "environment": ""}
    found = read(posted(alerts=[ALERT | {"labels": labels}], receiver="\udfff" * 500, groupKey="\ud800"))
    alert = found["alerts"][0]
    assert (len(alert["alertname"]), alert["tenant"], len(found["receiver"])) == (120, "?\ufffd", 120)
    assert {"target", "environment"}.isdisjoint(alert)
    canonical(found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'"firing"',
        b"9" * 5_000,
        posted(version="5"),
        posted(version=4),
        posted(alerts=None),
        posted(alerts={}),
        posted(alerts=[None]),
        posted(alerts=["firing"]),
        posted(groupKey=None),
        posted(receiver=["page"]),
        posted(status="silent"),
        posted(status=["firing"]),
        posted(truncatedAlerts=-1),
        posted(truncatedAlerts="1"),
        posted(truncatedAlerts=True),
        posted(truncatedAlerts=2**60),
        *(posted(alerts=[ALERT | {"fingerprint": bad}]) for bad in ("", "0" * 15, "G" * 16, 7, None, "0" * 17)),
        *(posted(alerts=[ALERT | {"startsAt": bad}]) for bad in ("", "yesterday", 7, "0001-01-01T00:00:00Z", "9" * 99)),
        *(posted(alerts=[ALERT | {"endsAt": bad}]) for bad in ("9999-12-31T23:59:59-14:00", "2026-11-28T03:00:00")),
        *(posted(alerts=[ALERT | {"labels": bad}]) for bad in (None, [], "alertname")),
        posted(alerts=[ALERT | {"status": "Firing"}]),
        posted(alerts=[{name: value for name, value in ALERT.items() if name != "startsAt"}]),
    ],
)
def test_what_is_malformed_is_refused(body: bytes):
    with pytest.raises(MalformedError):
        read(body)


_names = st.sampled_from([*DOCUMENT, *ALERT])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=6),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*ALERT]), _json), st.dictionaries(st.sampled_from([*DOCUMENT]), _json))
def test_whatever_comes_is_recorded_or_refused(alert, document):
    with contextlib.suppress(MalformedError):
        canonical(read(posted(**{"alerts": [ALERT | alert], **document})))


def test_the_newest_word_on_an_alert_counts():
    firing, resolved = read(posted()), read(posted(status="resolved", alerts=[ALERT | {"status": "resolved"}]))
    starts = 1795834800.123
    assert mentions([(20.0, resolved), (10.0, firing)]) == {"0123456789abcdef": Mention(False, starts, 20.0)}
    assert mentions([(20.0, firing), (10.0, resolved)]) == {"0123456789abcdef": Mention(True, starts, 20.0)}
    assert mentions([(20.0, {})]) == {}  # its payload has expired


def test_only_the_receivers_that_count_count():
    assert mentions([(20.0, read(posted()))], frozenset({"oncall"})) == {}
    assert len(mentions([(20.0, read(posted()))], frozenset({"oncall", "page"}))) == 1
