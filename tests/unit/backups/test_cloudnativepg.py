"""CloudNativePG's objects, as rows, and its recovery window."""

from __future__ import annotations

from typing import Any

import pytest

from closewatch.backups.cloudnativepg import tables
from closewatch.core.reasons import Reason, Unavailable
from tests.unit.backups.answers import answer, at, states

NOW = at("2026-11-23T02:10:00Z")


def looked(**more: Any) -> Any:
    document = answer("cloudnativepg.json") | more
    return tables(document["cluster"], document["backups"], document["objectstores"], "acme", NOW)


def window(**more: Any) -> tuple[Any, Any]:
    place = looked(**more)["place"][0]
    return place["since"], place["until"]


def test_the_rows_of_this_cluster():
    assert states(looked()) == [
        ("good", None),
        ("good", None),
        ("good", None),
        ("bad", "failed"),
        ("bad", "waiting_for_wal"),
        ("unfinished", None),
        ("unfinished", None),
    ]
    assert [row["type"] for row in looked()["main"][:3]] == ["full", "full", "volume_snapshot"]
    assert looked()["main"][0]["seconds"] == 360
    assert looked()["place"][0]["status"] == "ok"


def test_the_begin_is_the_plugins_where_it_is_and_else_the_clusters():
    assert window() == (at("2026-11-10T02:06:00Z"), None)
    assert window(objectstores=[]) == (at("2026-11-01T02:05:00Z"), None)
    store = answer("cloudnativepg.json")["objectstores"]
    store[0]["status"]["serverRecoveryWindow"] = {"another": {"firstRecoverabilityPoint": "2026-11-02T00:00:00Z"}}
    assert window(objectstores=store) == (at("2026-11-01T02:05:00Z"), None)


@pytest.mark.parametrize("zero", [None, "", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_zero_is_none(zero: Any):
    cluster = answer("cloudnativepg.json")["cluster"]
    cluster["status"]["firstRecoverabilityPoint"] = zero
    assert window(cluster=cluster, objectstores=[]) == (None, None)
    del cluster["status"]
    assert window(cluster=cluster, objectstores=[]) == (None, None)


def test_without_a_good_one_there_is_no_window():
    backups = [one for one in answer("cloudnativepg.json")["backups"] if one["status"].get("phase") != "completed"]
    assert window(backups=backups) == (None, None)


def test_archiving_that_fails():
    cluster = answer("cloudnativepg.json")["cluster"]
    cluster["status"]["conditions"][1]["status"] = "False"
    assert looked(cluster=cluster)["place"][0]["status"] == "archiving_failed"
    cluster["status"]["conditions"] = None
    assert looked(cluster=cluster)["place"][0]["status"] is None


@pytest.mark.parametrize(
    ("spec", "status", "found"),
    [
        ({}, {"phase": "whatComesNext"}, ("full", "bad", "unsupported_version")),
        ({"method": "whatComesNext"}, {}, ("opaque", "bad", "unsupported_version")),
        ({}, {"stoppedAt": "2027-01-01T00:00:00Z"}, ("full", "bad", "in_the_future")),
        ({}, {"phase": "finalizing"}, ("full", "unfinished", None)),
    ],
    ids=str,
)
def test_one_thing_changed(spec: dict[str, Any], status: dict[str, Any], found: tuple[str, str, str | None]):
    first = answer("cloudnativepg.json")["backups"][0]
    first["spec"] |= spec
    first["status"] |= status
    (row,) = looked(backups=[first])["main"]
    assert (row["type"], row["state"], row["reason"]) == found


@pytest.mark.parametrize(
    "more",
    [{"backups": [{}]}, {"backups": [{"spec": {"cluster": {"name": "acme"}}}]}, {"cluster": {"status": 5}}],
    ids=str,
)
def test_another_form_is_said(more: dict[str, Any]):
    with pytest.raises(Unavailable) as caught:
        looked(**more)
    assert caught.value.reason is Reason.INVALID_ANSWER
