"""The receiver over real sockets: what is recorded, what is refused for good, and what is to be sent again."""

from __future__ import annotations

import base64
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import bcrypt
import pytest

from closewatch.core.records.sqlite import SqliteStore
from closewatch.core.records.verify import faults
from closewatch.core.web import Server
from closewatch.engines import http
from closewatch.engines.folder import free_port
from closewatch.engines.process import wait_until
from closewatch.receive import LIMITS, Receiver
from tests.server.alertmanager.conftest import NOTIFICATIONS
from tests.unit.alertmanager.test_notification import ALERT, DOCUMENT, posted


def status(url: str, body: object = DOCUMENT) -> int:
    try:
        http.post(url, body, timeout=30)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200


def raw(address: str, text: bytes) -> int:
    """The status of what is answered to these bytes; the sending side is closed after them."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return int(connection.makefile("rb").readline().split()[1])


def test_a_notification_is_a_record_with_all_that_the_format_asks_for(configured, receive, store: SqliteStore):
    config = configured()
    server = receive(config)
    assert status(f"{server.url}/notifications/main") == 200
    assert status(f"{server.url}/notifications/main", DOCUMENT | {"status": "resolved"}) == 200
    second, first = store.newest(NOTIFICATIONS, 9)
    assert (first.result, first.reason, first.payload["status"]) == ("passed", None, "firing")
    assert second.payload["status"] == "resolved"
    header = first.header
    assert (header["actor"], header["config"], header["environment"]) == ("alertmanager", config.hash, "test")
    assert list(faults(NOTIFICATIONS, store.records(NOTIFICATIONS))) == []


@pytest.mark.parametrize("body", [{}, [], {"version": "4"}, DOCUMENT | {"alerts": [{}]}], ids=range(4))
def test_what_can_never_be_recorded_is_refused_for_good(configured, receive, store: SqliteStore, body):
    assert status(f"{receive(configured()).url}/notifications/main", body) == 400
    assert store.newest(NOTIFICATIONS) == []


def test_what_is_asked_in_another_way(configured, receive, store: SqliteStore):
    server = receive(configured())
    head = b"POST /notifications/main HTTP/1.1\r\nHost: localhost\r\n"
    assert status(f"{server.url}/notifications/other") == 404
    assert raw(server.address, head.replace(b"POST", b"GET") + b"\r\n") == 405
    assert raw(server.address, head + b"\r\n") == 411
    assert raw(server.address, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 411
    assert raw(server.address, head + b"Content-Length: 4194305\r\n\r\n") == 413
    assert raw(server.address, head + b"Content-Length: 99999999999\r\n\r\n") == 413
    assert raw(server.address, head + b"Content-Length: -1\r\n\r\n") == 400
    assert raw(server.address, head + b"Content-Length: 9\r\n\r\n{}") == 400  # ends early
    assert raw(server.address, head + b"Content-Length: 2\r\nSec-Fetch-Site: cross-site\r\n\r\n{}") == 403
    assert http.get(f"{server.url}/-/healthy") == "closewatch receives notifications.\n"
    assert store.newest(NOTIFICATIONS) == []


def test_a_large_notification_is_taken_and_cut(configured, receive, store: SqliteStore):
    alert = ALERT | {"annotations": {"description": "x" * 5_000}}
    body = posted(alerts=[alert] * 700)
    assert 3_000_000 < len(body) < 4 * 1024 * 1024
    assert status(f"{receive(configured()).url}/notifications/main", json.loads(body)) == 200
    payload = store.newest(NOTIFICATIONS)[0].payload
    assert (len(payload["alerts"]), payload["truncatedAlerts"]) == (500, 200)


def test_many_at_once_are_all_recorded(configured, receive, store: SqliteStore):
    url = f"{receive(configured()).url}/notifications/main"
    got: list[int] = []

    def send(number: int) -> None:
        got.append(status(url, DOCUMENT | {"groupKey": f"{number}"}))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert got == [200] * 12
    assert [record.sequence for record in store.newest(NOTIFICATIONS, 20)] == list(range(12, 0, -1))


def test_what_is_tried_again_is_kept_once_and_a_change_is_kept(configured, receive, store, monkeypatch):
    url = f"{receive(configured()).url}/notifications/main"
    changes = [{}, {}, {"status": "resolved"}, {"status": "resolved"}, {}]
    assert [status(url, DOCUMENT | change) for change in changes] == [200] * 5
    kept = [record.payload["status"] for record in store.newest(NOTIFICATIONS, 9)]
    assert kept == ["firing", "resolved", "firing"]
    monkeypatch.setattr("closewatch.receive.AGAIN", 0.0)  # later it is the reminder, and that is news
    assert status(url) == 200
    assert len(store.newest(NOTIFICATIONS, 9)) == 4


def test_what_could_not_be_recorded_is_not_taken_for_recorded(configured, receive, store: SqliteStore):
    url = f"{receive(configured()).url}/notifications/main"
    lease = store.lease(NOTIFICATIONS, "another", 60)
    assert status(url) == 503
    store.release(lease)
    assert status(url) == 200
    assert len(store.newest(NOTIFICATIONS, 9)) == 1


def test_who_does_not_log_in_records_nothing_however_much_it_sends(configured, store: SqliteStore, tmp_path: Path):
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{alertmanager: '{bcrypt.hashpw(b'word', bcrypt.gensalt(4)).decode()}'}}\n")
    receiver = Receiver(configured())
    server = Server("127.0.0.1:0", receiver.routes(), web, LIMITS, receiver.bodies())
    server.start()
    try:
        url = f"{server.url}/notifications/main"
        assert status(url) == 401
        head = b"POST /notifications/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n"
        assert raw(server.address, head + b"x" * 1000) == 401
        login = base64.b64encode(b"alertmanager:word").decode()
        request = urllib.request.Request(url, json.dumps(DOCUMENT).encode(), {"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
    finally:
        server.stop()
        receiver.close()
    assert len(store.newest(NOTIFICATIONS, 9)) == 1


def test_a_client_that_sends_slowly_is_cut_off(configured):
    receiver = Receiver(configured())
    limits = replace(LIMITS, head=0.5)
    server = Server("127.0.0.1:0", receiver.routes(), None, limits, receiver.bodies())
    server.start()
    host, _, port = server.address.rpartition(":")
    began = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"POST /notifications/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert int(connection.makefile("rb").readline().split()[1]) == 408
    assert time.monotonic() - began < 5
    server.stop()
    receiver.close()


def test_while_another_writes_it_waits_and_then_says_try_again(configured, receive, store: SqliteStore):
    url = f"{receive(configured()).url}/notifications/main"
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert status(url) == 503
    other.execute("ROLLBACK")
    other.close()
    assert status(url) == 200


def test_while_another_receiver_has_the_lease_it_waits(configured, receive, store: SqliteStore):
    url = f"{receive(configured()).url}/notifications/main"
    lease = store.lease(NOTIFICATIONS, "another", 60)
    timer = threading.Timer(1, lambda: store.release(lease))
    timer.start()
    began = time.monotonic()
    assert status(url) == 200
    assert time.monotonic() - began > 0.9
    timer.join()


def test_a_store_that_is_not_there_is_opened_when_it_has_come(configured, receive, tmp_path: Path):
    config = configured(records="later/records.db")
    url = f"{receive(config).url}/notifications/main"
    assert status(url) == 503
    (tmp_path / "later").mkdir()
    assert status(url) == 200


def test_the_command_serves_until_it_is_told_to_end(configured, tmp_path: Path):
    config, port = configured(), free_port()
    words = [sys.executable, "-m", "closewatch", "receive", str(config.path), "--web.listen-address"]
    process = subprocess.Popen([*words, f"127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: http.answers(f"http://127.0.0.1:{port}/-/healthy"), 60, "the receiver")
        assert status(f"http://127.0.0.1:{port}/notifications/main") == 200
    finally:
        process.send_signal(signal.SIGTERM)
        said = b"".join(process.communicate(timeout=30))
    assert process.returncode == 0
    assert b"notification_recorded" in said
    assert b"nobody's business" not in said


def test_a_configuration_without_an_alertmanager_is_told_so(tmp_path: Path):
    path = tmp_path / "closewatch.yml"
    path.write_text(
        "environment: test\nrecords: {path: r.db}\ntargets:\n  - {kind: certificates, name: a, files: [a]}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "closewatch", "receive", str(path)], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert b"none of kind alertmanager" in done.stderr
