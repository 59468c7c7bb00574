"""Requests as routes see them."""

from __future__ import annotations

import pytest

from closewatch.core.web.messages import Headers, Request, is_loopback, plain


def test_headers_in_any_case_and_twice():
    headers = Headers([("Accept", "a"), ("X-One", "1"), ("accept", "b")])
    assert headers["ACCEPT"] == "a, b"
    assert headers.get("x-one") == "1"
    assert headers.get("missing") is None
    assert "X-ONE" in headers
    assert len(headers) == 2


@pytest.mark.parametrize(
    ("client", "headers", "expected"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.9.10", {"Host": "127.0.0.1:10187"}, True),
        ("::1", {"Host": "[::1]:10187"}, True),
        ("::1", {"Host": "LocalHost:10187"}, True),
        ("::ffff:127.0.0.1", {}, True),
        ("::ffff:10.0.0.1", {}, False),
        ("10.0.0.1", {}, False),
        ("fe80::1%eth0", {}, False),
        ("", {}, False),
        ("not an address", {}, False),
        ("127.0.0.1", {"Host": "closewatch.example.org"}, False),
        ("127.0.0.1", {"Host": "127.0.0.1.example.org"}, False),
        ("127.0.0.1", {"Host": ""}, False),
        ("127.0.0.1", {"Host": "10.0.0.1"}, False),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.1"}, False),
        ("127.0.0.1", {"x-forwarded-for": ""}, False),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, False),
        ("127.0.0.1", {"X-Forwarded-Host": "x"}, False),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, False),
        ("127.0.0.1", {"Via": "1.1 proxy"}, False),
    ],
)
def test_loopback_is_a_peer_on_this_machine_that_speaks_for_itself(client, headers, expected):
    assert is_loopback(client, Headers(headers.items())) is expected


def test_a_request_shows_no_header_when_printed():
    request = Request("GET", "/", {}, Headers([("Authorization", "Basic c2VjcmV0")]))
    assert "c2VjcmV0" not in repr(request)


def test_an_answer_in_words():
    response = plain(404, "not found")
    assert (response.status, response.body, response.content_type) == (404, b"not found\n", "text/plain; charset=utf-8")
