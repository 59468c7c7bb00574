"""What `pgbackrest info` says, as rows. The real program is in tests/server/backups."""

from __future__ import annotations

from typing import Any

import pytest

from closewatch.backups.pgbackrest import tables
from closewatch.core.reasons import Unavailable

NOW = 1_800_000_000.0
OK = {"code": 0, "message": "ok", "lock": {"backup": {"held": False}}}


def backup(**more: Any) -> dict[str, Any]:
    """One of a document of 2.59, less what isn't read."""
    return {
        "backrest": {"format": 5, "version": "2.59.0"},
        "database": {"id": 1, "repo-key": 1},
        "error": False,
        "info": {"size": 22988257, "delta": 8456, "repository": {"delta": 430}},
        "timestamp": {"start": 1_799_000_000, "stop": 1_799_000_003},
        "type": "full",
        **more,
    }


def stanza(*backups: dict[str, Any], **more: Any) -> dict[str, Any]:
    repo = {"key": 1, "cipher": "none", "status": {"code": 0, "message": "ok"}}
    return {"name": "main", "backup": list(backups), "repo": [repo], "status": OK, **more}


def rows(*stanzas: dict[str, Any], repo: int = 1) -> list[tuple[Any, ...]]:
    found = tables(list(stanzas), "main", repo, NOW)["main"]
    return [
        tuple(row[name] for name in ("type", "state", "reason", "at", "size", "seconds", "verified")) for row in found
    ]


def test_a_backup():
    assert rows(stanza(backup())) == [("full", "good", None, 1_799_000_003, 22988257, 3, True)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"error": True}, ("bad", "page_checksum", False)),
        ({"error": None}, ("good", None, None)),
        ({"backrest": {"format": 6, "version": "3.0"}}, ("bad", "unsupported_version", True)),
        ({"type": "other"}, ("bad", "unsupported_version", True)),
        ({"timestamp": {"start": NOW + 5, "stop": NOW + 3600}}, ("bad", "in_the_future", True)),
        ({"type": "incr"}, ("good", None, True)),
    ],
)
def test_its_state(more: dict[str, Any], expected: tuple[Any, ...]):
    (found,) = rows(stanza(backup(**more)))
    assert (found[1], found[2], found[6]) == expected


def test_an_older_release_has_no_error_flag():
    plain = backup()
    del plain["error"]
    assert rows(stanza(plain))[0][6] is None


def test_other_stanzas_and_repositories_are_others():
    two = backup(database={"id": 1, "repo-key": 2}, type="incr")
    both = [{"key": key, "status": {"code": code}} for key, code in ((1, 0), (2, 2))]
    assert [row[0] for row in rows({"name": "other"}, stanza(backup(), two, repo=both))] == ["full"]
    assert [row[0] for row in rows(stanza(backup(), two, repo=both), repo=2)] == ["incr"]
    assert tables([stanza(repo=both)], "main", 2, NOW)["place"][0]["status"] == "no_backups"


def test_a_backup_that_runs():
    status = {**OK, "lock": {"backup": {"held": True, "pct-cplt": 17}}}
    assert [row[1] for row in rows(stanza(backup(), status=status))] == ["good", "unfinished"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1, "not_found"), (3, "not_found"), (6, "not_found"), (99, "server_error"), (77, "server_error")],
)
def test_a_repository_that_can_not_be_read(code: int, reason: str):
    document = stanza(repo=[], status={"code": code, "message": "a name in here"})
    with pytest.raises(Unavailable) as failure:
        rows(document)
    assert failure.value.reason == reason
    assert "a name in here" not in str(failure.value)


@pytest.mark.parametrize(("code", "status"), [(2, "no_backups"), (4, "different"), (5, "database_mismatch")])
def test_a_repository_that_can_be_read(code: int, status: str):
    assert tables([stanza(repo=[], status={"code": code})], "main", 1, NOW)["place"][0]["status"] == status


@pytest.mark.parametrize(
    "document",
    [None, 5, "x", {}, {"main": 1}, [5], [None], [{"name": "main"}], [stanza(5)], [stanza({})],
     [stanza(backup(timestamp=None))], [stanza(backup(info={"size": "big"}))], [stanza(backup(error="no"))],
     [{**stanza(), "status": None}]],
)  # fmt: skip
def test_nonsense(document: Any):
    with pytest.raises(Unavailable) as failure:
        tables(document, "main", 1, NOW)
    assert failure.value.reason in {"invalid_answer", "not_found"}


def test_no_such_stanza():
    with pytest.raises(Unavailable) as failure:
        tables([], "main", 1, NOW)
    assert failure.value.reason == "not_found"
