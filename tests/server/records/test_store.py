"""What every store of records does: on real databases, with real other processes."""

from __future__ import annotations

import json
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from closewatch.core.records import LeaseLost, Store, StoreError
from closewatch.core.records.record import timestamp
from closewatch.core.records.sql import PART
from closewatch.core.records.verify import faults
from closewatch.engines.process import wait_until
from tests.server.records.stores import CHAIN, Place, about, add, opened

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def test_what_is_kept_is_read_again_by_another(place: Place, store: Store):
    for number in range(3):
        add(store, float(number * 10), **({} if number < 2 else {"result": "failed", "reason": "books"}))
    other = place.open(read_only=True)
    assert [record.sequence for record in other.newest(CHAIN, 2)] == [3, 2]
    assert other.newest_passed(CHAIN).sequence == 2
    assert other.chains() == [CHAIN]
    assert list(faults(CHAIN, other.records(CHAIN))) == []
    assert (other.current(), other.unwritable()) == (True, False)
    with pytest.raises(StoreError, match="can't be written to"):
        other.lease(CHAIN, "other", 60)


def test_heads_are_kept_once_a_day_and_copies_are_noted(store: Store):
    for day in ("2026-11-27", "2026-11-26"):
        store.keep_head(day, f"document of {day}", "signature")
    with pytest.raises(StoreError, match="there already"):
        store.keep_head("2026-11-27", "another", "signature")
    assert store.newest_head() == ("document of 2026-11-27", "signature")
    assert [head[0] for head in store.heads()] == ["document of 2026-11-26", "document of 2026-11-27"]
    assert store.heads("2026-11-26") == [("document of 2026-11-27", "signature")]
    for day in ("2026-11-26", "2026-11-27"):
        store.copied("worm", day)
    assert store.copies() == {"worm": "2026-11-27"}


def test_a_chain_that_is_longer_than_what_is_read_at_once(store: Store):
    for number in range(PART + 20):
        add(store, float(number))
    assert [record.sequence for record in store.records(CHAIN)] == list(range(1, PART + 21))
    assert store.expire(PART + 11.0) == PART + 10


def test_a_lease_keeps_others_out_and_an_older_one_can_not_write(store: Store):
    first = store.lease(CHAIN, "first", 0.3)
    assert store.lease(CHAIN, "second", 60) is None
    assert store.renew(first, 0.3)
    time.sleep(0.4)
    second = store.lease(CHAIN, "second", 60)
    assert second.counter == first.counter + 1
    assert not store.renew(first, 60)
    with pytest.raises(LeaseLost):
        store.append(first, about(), {})
    store.append(second, about(), {})
    with pytest.raises(LeaseLost):
        store.append(second, about(5.0), {})  # a lease is for one record
    assert len(store.newest(CHAIN, 9)) == 1


def test_a_payload_that_has_no_canonical_form_keeps_the_lease_and_writes_nothing(store: Store):
    lease = store.lease(CHAIN, "me", 60)
    with pytest.raises(TypeError, match="float has no place"):
        store.append(lease, about(), {"a": 1.5})
    assert store.newest(CHAIN) == []
    store.append(lease, about(), {"a": "1.5"})


def test_payloads_expire_and_headers_stay(store: Store):
    for number in range(3):
        add(store, number * 1000.0)
    assert store.expire(1500.0) == 2
    assert [record.payload_text is None for record in store.records(CHAIN)] == [True, True, False]
    assert list(faults(CHAIN, store.records(CHAIN))) == []
    assert store.expire(1500.0) == 0


def test_the_database_itself_refuses_to_forget(place: Place, store: Store):
    add(store, 0.0)
    store.keep_head("2026-11-27", "{}", "")
    for statement in (
        "DELETE FROM record", "UPDATE record SET header = '{}'", "UPDATE record SET sequence = 9",
        "UPDATE record SET payload = '{}'", "DELETE FROM head", "UPDATE head SET document = ''",
    ):  # fmt: skip
        with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RestrictViolation), match="append-only"):
            place.force(statement)
    with pytest.raises((sqlite3.OperationalError, psycopg.errors.GeneratedAlways)):
        place.force("UPDATE record SET result = 'passed'")


def test_a_record_that_somebody_made_unreadable_is_said_by_name(place: Place, store: Store):
    add(store, 0.0)
    place.disarm()
    good = store.newest(CHAIN)[0].header_text
    for bad in ('{"end":"","result":"passed"}', good.replace('"sequence":1', '"sequence":"1x"')):
        place.force("UPDATE record SET header = ?", bad)
        with pytest.raises(StoreError, match=r"restore of restores acme: a record was changed .* can't be read"):
            store.newest(CHAIN)
    place.force("UPDATE record SET header = ?, payload = '[]'", good)
    with pytest.raises(StoreError, match="a record was changed"):
        store.newest_passed(CHAIN)


def _write(keys: dict[str, Any], owner: str, enough: int) -> None:
    """Add records until there are so many, whoever added them; then one more of our own."""
    store = opened(keys)
    mine = 0
    while len(store.newest(CHAIN, enough)) < enough or not mine:
        lease = store.lease(CHAIN, owner, 5)
        if lease is not None:
            now = timestamp(time.time())
            store.append(lease, {**about(), "start": now, "end": now}, {"owner": owner})
            mine += 1
    store.close()


def test_two_workers_at_once_make_one_whole_chain(place: Place, store: Store):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(place.keys, name, 60)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    records = list(store.records(CHAIN))
    assert len(records) >= 60
    assert list(faults(CHAIN, records)) == []
    assert {record.payload["owner"] for record in records} == {"a", "b"}


def test_a_worker_that_is_killed_leaves_a_whole_chain(place: Place, store: Store):
    code = f"""
import json, sys
sys.path.insert(0, {str(Path.cwd())!r})
from tests.server.records.test_store import _write
_write(json.loads({json.dumps(place.keys)!r}), "killed", 10**9)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while len(store.newest(CHAIN, 20)) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert list(faults(CHAIN, place.open(read_only=True).records(CHAIN))) == []
    wait_until(lambda: store.lease(CHAIN, "me", 60) is not None, 15, "its lease has ended")
