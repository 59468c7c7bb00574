"""An S3 server that hangs, throttles, answers by half or with garbage, or has another clock: a stand-in.

A real one doesn't do so on request. What it answers is what Amazon's documentation shows.
"""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Unavailable
from closewatch.core.secrets import Secret
from closewatch.sources.s3 import bucket as s3
from closewatch.sources.s3.bucket import Access, Bucket
from tests.fixtures.watch import Watched

SECRET = "stand-in-secret-key"
SUCCESS = "backup_last_success_timestamp_seconds"
Answer = Callable[[BaseHTTPRequestHandler, dict[str, str]], None]


class StandIn:
    """Serves what `answer` says; counts the requests."""

    def __init__(self, answer: Answer) -> None:
        standin = self
        self.requests = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                standin.requests += 1
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                answer(self, query)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def stand_in() -> Iterator[Callable[[Answer], StandIn]]:
    made: list[StandIn] = []

    def make(answer: Answer) -> StandIn:
        made.append(StandIn(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def target(tmp_path) -> Callable[[str], dict]:
    (tmp_path / "secret").write_text(SECRET)
    login = {"access_key": "key", "secret_key": {"file": str(tmp_path / "secret")}, "region": "us-east-1"}
    return lambda url: {"kind": "backups", "name": "acme", "s3": {"bucket": "backups", "endpoint": url, **login}}


def send(to: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/xml", length: int = 0) -> None:
    to.send_response(status)
    to.send_header("Content-Type", kind)
    to.send_header("Content-Length", str(length or len(body)))
    to.end_headers()
    to.wfile.write(body)


def error(status: int, code: str) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>bucket of acme</Message></Error>".encode()
    return lambda to, _: send(to, status, body)


def page(first: int, count: int, total: int) -> bytes:
    """A page of a listing of names with dates in them, an hour apart."""
    rows = []
    for number in range(first, min(first + count, total)):
        at = dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=number)
        rows.append(
            f"<Contents><Key>{at:%Y%m%d-%H%M}.dump</Key><LastModified>{at:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
            f'<ETag>"{number}"</ETag><Size>100</Size><StorageClass>STANDARD</StorageClass></Contents>'
        )
    more = first + count < total
    token = f"<NextContinuationToken>{first + count}</NextContinuationToken>" if more else ""
    head = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
    return f"<?xml version='1.0'?><ListBucketResult>{head}{''.join(rows)}</ListBucketResult>".encode()


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (503, "SlowDown", "throttled"),
        (429, "TooManyRequests", "throttled"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "AccessDenied", "permission"),
        (400, "ExpiredToken", "authentication"),
        (301, "PermanentRedirect", "not_found"),
        (500, "InternalError", "server_error"),
        (503, "<b>hostile\n</b>", "invalid_answer"),
        (503, "hostile\n" * 99, "server_error"),
    ],
)
def test_errors(stand_in, target, watching: Callable[..., Watched], status: int, code: str, reason: str, caplog):
    server = stand_in(error(status, code))
    facts = watching(target(server.url)).ask("acme")
    assert facts.reason == reason
    assert server.requests <= 2  # one more try at most, and none of our own
    assert "bucket of acme" not in caplog.text
    assert SECRET not in caplog.text


def hang(to: BaseHTTPRequestHandler, _: dict[str, str]) -> None:
    time.sleep(4)
    to.close_connection = True


def drip(to: BaseHTTPRequestHandler, _: dict[str, str]) -> None:
    """A byte now and then: no read ever runs into its time-out."""
    to.send_response(200)
    to.send_header("Content-Length", "100000")
    to.end_headers()
    for _ in range(20):
        try:
            to.wfile.write(b" ")
            to.wfile.flush()
        except OSError:
            return
        time.sleep(0.2)
    to.close_connection = True


def half(to: BaseHTTPRequestHandler, _: dict[str, str]) -> None:
    send(to, 200, page(0, 10, 10)[:300], length=5000)
    to.close_connection = True


def garbage(to: BaseHTTPRequestHandler, _: dict[str, str]) -> None:
    send(to, 200, b"<ListBucketResult><Contents><Key>a</Key", kind="text/html")


def cut_off(to: BaseHTTPRequestHandler, _: dict[str, str]) -> None:
    to.connection.shutdown(socket.SHUT_RDWR)
    to.close_connection = True


@pytest.mark.parametrize(
    ("answer", "timeout", "reasons"),
    [
        (hang, 2.5, {"timeout"}),
        (drip, 2.5, {"timeout"}),
        (half, 9.5, {"connection_lost", "server_error"}),
        (garbage, 9.5, {"invalid_answer", "server_error"}),
        (cut_off, 9.5, {"connection_lost"}),
    ],
)
def test_answers_that_are_none(
    stand_in, target, watching: Callable[..., Watched], answer: Answer, timeout: float, reasons: set[str]
):
    facts = watching(target(stand_in(answer).url)).ask("acme", timeout=timeout)
    assert facts.reason in reasons
    assert facts.all(SUCCESS) == []


def test_a_server_that_ignores_ranges(stand_in, target, watching: Callable[..., Watched]):
    def answer(to: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        large = page(0, 3, 3).replace(b"<Size>100<", b"<Size>100000<")
        send(to, 200, large if "list-type" in query else b"PK\x03\x04" + b"x" * 96)

    assert watching(target(stand_in(answer).url)).ask("acme").reason == "invalid_answer"


def test_a_million_names(stand_in, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """No look asks for more than its pages; the newest is found in the end, and then by one request a look."""
    total = 1_000_000

    def answer(to: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        first = int(query.get("continuation-token", 0))
        if after := query.get("start-after"):
            at = dt.datetime.strptime(after, "%Y%m%d-%H%M.dump").replace(tzinfo=dt.UTC)
            first = int((at - dt.datetime(2000, 1, 1, tzinfo=dt.UTC)).total_seconds()) // 60 + 1
        send(to, 200, page(first, 1000, total))

    monkeypatch.setattr(s3, "KNOWN", 2000)
    monkeypatch.setattr(s3, "PAGES", 4)
    server = stand_in(answer)
    (tmp_path / "secret").write_text(SECRET)
    access = Access("b", "", server.url, "us-east-1", "key", Secret(file=tmp_path / "secret"), path_style=True)
    bucket = Bucket(access, "*.dump", pages=s3.PAGES)
    first = bucket.list(Deadline.after(60))
    assert server.requests == s3.PAGES
    assert first.truncated
    # The walk has come near to the end: the rest of a million pages would tell nothing new.
    last = dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=total - 3000)
    bucket._cursor = f"{last:%Y%m%d-%H%M}.dump"
    assert bucket.list(Deadline.after(60)).truncated
    before = server.requests
    third = bucket.list(Deadline.after(60))
    newest = dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=total - 1)
    assert (third.truncated, third.entries[0].name) == (False, f"{newest:%Y%m%d-%H%M}.dump")
    assert server.requests == before + 1
    bucket.close()


def test_a_slow_listing_is_continued_in_the_next_look(stand_in, tmp_path):
    def answer(to: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        time.sleep(0.3)
        first = int(query.get("continuation-token", 0))
        if query.get("start-after"):
            first = 1000 * len(requests)
        requests.append(first)
        send(to, 200, page(first, 1000, 1_000_000))

    requests: list[int] = []
    (tmp_path / "secret").write_text(SECRET)
    url = stand_in(answer).url
    access = Access("b", "", url, "us-east-1", "key", Secret(file=tmp_path / "secret"), path_style=True)
    bucket = Bucket(access, "*.dump")
    first = bucket.list(Deadline.after(s3.RESERVE + 0.8))
    assert first.truncated
    assert 1000 <= first.total < 1000 * s3.PAGES
    assert bucket.list(Deadline.after(s3.RESERVE + 0.8)).total > first.total
    with pytest.raises(Unavailable) as failure:
        bucket.list(Deadline.after(0))
    assert failure.value.reason == "timeout"
    bucket.close()


def test_what_lies_in_an_archive_tier_is_not_read(stand_in, target, watching: Callable[..., Watched]):
    listing = page(0, 3, 3).replace(b"STANDARD", b"DEEP_ARCHIVE")
    server = stand_in(lambda to, query: send(to, 200 if "list-type" in query else 403, listing))
    facts = watching(target(server.url)).ask("acme")
    assert facts.one("backup_seen", state="good") == 3
    assert facts.one("backup_completeness_known", type="opaque") == 0
    assert server.requests == 1
