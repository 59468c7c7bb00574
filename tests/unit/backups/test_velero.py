"""Velero's objects, as rows."""

from __future__ import annotations

from typing import Any

import pytest

from closewatch.backups.velero import tables
from closewatch.core.reasons import Reason, Unavailable
from tests.unit.backups.answers import answer, at, states

NOW = at("2026-11-23T02:10:00Z")


def looked(**more: Any) -> Any:
    document = answer("velero.json") | more
    return tables(document["backups"], document["locations"], NOW)


def test_good_failed_partial_expired_and_under_way():
    assert states(looked()) == [
        ("good", None),
        ("bad", "hook_failed"),  # though it is Completed
        ("bad", "partial"),
        ("bad", "expired"),
        ("bad", "failed"),
        ("bad", "failed"),
        ("unfinished", None),
        ("unfinished", None),
    ]  # what is being deleted is not there any more
    good = looked()["main"][0]
    assert (good["type"], good["at"], good["seconds"], good["whole"]) == (
        "resources", at("2026-11-20T02:07:30Z"), 450.0, True,
    )  # fmt: skip
    assert looked()["place"][0]["status"] == "ok"


def test_the_location_that_is_used_counts():
    locations = answer("velero.json")["locations"]
    locations[0]["status"]["phase"] = "Unavailable"
    assert looked(locations=locations)["place"][0]["status"] == "unavailable"
    del locations[0]["status"]  # not looked at yet
    assert looked(locations=locations)["place"][0]["status"] == "unavailable"
    assert looked(locations=[])["place"][0]["status"] is None


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({"phase": "WhatComesNext"}, ("bad", "unsupported_version")),
        ({"errors": 1}, ("bad", "partial")),
        ({"hookStatus": None, "expiration": None, "progress": None}, ("good", None)),
        ({"expiration": "0001-01-01T00:00:00Z"}, ("good", None)),  # zero is none
        ({"completionTimestamp": "2027-11-20T02:07:30Z"}, ("bad", "in_the_future")),
        ({"phase": "Finalizing"}, ("unfinished", None)),
        ({"phase": "Queued", "startTimestamp": None, "completionTimestamp": None}, ("unfinished", None)),
    ],
    ids=str,
)
def test_one_thing_changed(status: dict[str, Any], found: tuple[str, str | None]):
    (first, *_) = answer("velero.json")["backups"]
    first["status"] |= status
    assert states(looked(backups=[first])) == [found]


@pytest.mark.parametrize("backup", [{}, {"metadata": {}}, {"metadata": {"creationTimestamp": "x"}, "status": []}])
def test_another_form_is_said(backup: Any):
    with pytest.raises(Unavailable) as caught:
        looked(backups=[backup])
    assert caught.value.reason is Reason.INVALID_ANSWER
