"""Signed heads: who removes a whole chain is found out, and so is who signs with another key."""

from __future__ import annotations

import datetime as dt
import socket
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from closewatch.core.records import Chain, StoreError
from closewatch.core.records.copies import CopyError, bring_up_to_date, in_folder, to_folder, to_syslog
from closewatch.core.records.heads import KeyProblem, faults, new_key, sign_due
from closewatch.core.records.record import timestamp
from closewatch.core.records.sqlite import SqliteStore

PRIVATE, PUBLIC = new_key()


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 11, number, 0, 5, tzinfo=dt.UTC)


def add(store: SqliteStore, target: str, at: float) -> None:
    chain = Chain("restore", "restores", target)
    lease = store.lease(chain, "me", 60)
    times = {"start": timestamp(at), "end": timestamp(at + 1)}
    about = {"check": "restore", "kind": "restores", "target": target, **times, "result": "passed", "reason": None}
    store.append(lease, about, {})


@pytest.fixture
def store(tmp_path: Path):
    opened = SqliteStore(tmp_path / "records.db")
    for number in range(3):
        for target in ("acme", "globex"):
            add(opened, target, number * 100.0)
        assert (
            sign_due(opened, PRIVATE, day(number + 1))
            == day(number + 1).date().__sub__(dt.timedelta(days=1)).isoformat()
        )
    yield opened
    opened.close()


def test_all_is_well(store: SqliteStore):
    assert list(faults(store, PUBLIC)) == []
    assert sign_due(store, PRIVATE, day(3)) is None  # once a day


def test_another_key(store: SqliteStore):
    wrong = list(faults(store, new_key()[1]))
    assert len(wrong) == 3
    assert all("were not signed by this key" in words for words in wrong)


def _forged(store: SqliteStore, *statements: str) -> list[str]:
    """What is said after somebody with the file in hand has done this."""
    other = sqlite3.connect(store.path)
    for (trigger,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        other.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        other.execute(statement)
    other.commit()
    other.close()
    return list(faults(store, PUBLIC))


def test_a_whole_chain_removed(store: SqliteStore):
    wrong = _forged(store, "DELETE FROM record WHERE target = 'globex'")
    assert "restore of restores globex: record 1 of the heads of 2026-10-31 is gone, or is another" in wrong


def test_the_newest_record_removed(store: SqliteStore):
    wrong = _forged(store, "DELETE FROM record WHERE target = 'acme' AND sequence = 3")
    assert wrong == ["restore of restores acme: record 3 of the heads of 2026-11-02 is gone, or is another"]


def test_a_day_removed(store: SqliteStore):
    wrong = _forged(store, "DELETE FROM head WHERE day = '2026-11-01'")
    assert wrong == ["the heads of 2026-11-02 do not follow those of the day before: some were removed or put in"]


FOREIGN = ["x", "[]", '{"day":1}', '{"chains":[3],"day":"2026-11-02","previous":""}', "[" * 100_000]


@pytest.mark.parametrize("text", FOREIGN, ids=["no JSON", "a list", "parts", "other chains", "deep"])
def test_a_document_of_another_form(store: SqliteStore, text: str):
    assert "a document of signed heads has another form" in _forged(
        store, f"UPDATE head SET document = '{text}' WHERE day = '2026-11-01'"
    )


def copied(store: SqliteStore, folder: Path) -> list[tuple[str, str]]:
    folder.mkdir()
    assert bring_up_to_date(store, {"worm": lambda: to_folder(folder)}) == {}
    return in_folder(folder)


def test_the_copy_is_what_counts(store: SqliteStore, tmp_path: Path):
    copy = copied(store, tmp_path / "worm")
    assert list(faults(store, PUBLIC, copy)) == []
    # Whoever has the file takes the newest record away, and the heads that tell of it: in the store all is well then.
    assert (
        _forged(
            store,
            "DELETE FROM record WHERE sequence = 3",
            "DELETE FROM head WHERE day = '2026-11-02'",
        )
        == []
    )
    assert list(faults(store, PUBLIC, copy)) == [
        "the heads of 2026-11-02 are in the copy, and in the store they are gone, or are others",
        "restore of restores acme: record 3 of the heads of 2026-11-02 is gone, or is another",
        "restore of restores globex: record 3 of the heads of 2026-11-02 is gone, or is another",
    ]


def test_a_copy_that_lacks_a_day_or_a_signature(store: SqliteStore, tmp_path: Path):
    copied(store, tmp_path / "worm")
    (tmp_path / "worm" / "2026-11-01.json").unlink()
    (tmp_path / "worm" / "2026-10-31.sig").unlink()
    wrong = list(faults(store, PUBLIC, in_folder(tmp_path / "worm")))
    assert "the heads of 2026-10-31 were not signed by this key, or were changed" in wrong
    assert "the heads of 2026-11-02 do not follow those of the day before: some were removed or put in" in wrong
    with pytest.raises(CopyError, match="there are no signed heads"):
        in_folder(tmp_path)
    (tmp_path / "worm" / "2026-11-02.json").write_bytes(b"\xff")
    with pytest.raises(CopyError, match=r"2026-11-02\.json is no text"):
        in_folder(tmp_path / "worm")


def test_two_workers_sign_a_day_once(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    other, first = SqliteStore(store.path), SqliteStore.keep_head

    def late(store: SqliteStore, *head: str) -> None:
        first(other, *head)
        first(store, *head)

    monkeypatch.setattr(SqliteStore, "keep_head", late)
    assert sign_due(store, PRIVATE, day(4)) is None  # the other was faster, and nothing is wrong
    assert list(faults(store, PUBLIC)) == []
    assert len(store.heads()) == 4
    other.close()


def test_a_clock_that_was_ahead_is_said(store: SqliteStore):
    assert sign_due(store, PRIVATE, day(30)) == "2026-11-29"
    with pytest.raises(StoreError, match="2026-11-29 is signed already, and lies ahead"):
        sign_due(store, PRIVATE, day(4))


def test_without_its_package_nothing_is_signed_and_that_is_said(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(KeyProblem, match=r"pip install 'closewatch\[records\]'"):
        sign_due(store, PRIVATE, day(4))


def test_a_document_changed(store: SqliteStore):
    wrong = _forged(store, "UPDATE head SET document = replace(document, 'acme', 'emca') WHERE day = '2026-11-02'")
    assert "the heads of 2026-11-02 were not signed by this key, or were changed" in wrong


@pytest.mark.parametrize("key", ["", "nonsense", PUBLIC])
def test_what_is_no_key_is_said(store: SqliteStore, key: str):
    with pytest.raises(KeyProblem):
        sign_due(store, key, day(5))
    assert len(store.heads()) == 3


def test_copies_in_a_folder_are_complete_and_never_overwritten(store: SqliteStore, tmp_path: Path):
    folder = tmp_path / "worm"
    copies = {"worm": lambda: to_folder(folder)}
    assert list(bring_up_to_date(store, copies)) == ["worm"]  # the folder is not there yet
    assert store.copies() == {}
    folder.mkdir()
    assert bring_up_to_date(store, copies) == {}
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"2026-{name}.{kind}" for name in ("10-31", "11-01", "11-02") for kind in ("json", "sig")
    )
    assert store.copies() == {"worm": "2026-11-02"}
    (folder / "2026-11-03.json").write_text("{}")
    add(store, "acme", 900.0)
    sign_due(store, PRIVATE, day(4))
    assert bring_up_to_date(store, copies) == {"worm": "2026-11-03.json is there already, and is another"}


@pytest.mark.parametrize("tcp", [True, False])
def test_copies_by_syslog(store: SqliteStore, tcp: bool):
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        got: list[bytes] = []
        if tcp:
            server.listen()
        listener = threading.Thread(target=_listen, args=(server, got, tcp))
        listener.start()
        failed = bring_up_to_date(store, {"log": lambda: to_syslog("127.0.0.1", server.getsockname()[1], tcp=tcp)})
        listener.join(10)
    assert failed == {}
    assert len(got) == 3
    assert all(b"closewatch" in message and b" day=2026-1" in message and b"signature=" in message for message in got)


def _listen(server: socket.socket, got: list[bytes], tcp: bool) -> None:
    for _ in range(3):
        if not tcp:
            got.append(server.recv(65536))
            continue
        connection, _address = server.accept()
        with connection:
            got.append(connection.recv(65536))


def test_a_syslog_that_is_away_is_tried_again(store: SqliteStore):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert list(bring_up_to_date(store, {"log": lambda: to_syslog("127.0.0.1", port, tcp=True)})) == ["log"]
    assert store.copies() == {}
