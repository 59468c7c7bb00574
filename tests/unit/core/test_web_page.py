"""The page for people: what is on it, for whom, and that no name gets out of its place."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import html.parser
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closewatch.core.web import page as module
from closewatch.core.web.page import KindCount, Link, PageData, TargetRow, Trouble, kinds_of, page

NOW = dt.datetime(2026, 6, 1, 12, 0, 0, tzinfo=dt.UTC)
VOID = {"meta", "br", "hr", "img", "input", "link"}
TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "div",
    "header",
    "h1",
    "small",
    "time",
    "main",
    "p",
    "ul",
    "li",
    "b",
    "dl",
    "dt",
    "dd",
    "h2",
    "span",
    "table",
    "thead",
    "tr",
    "th",
    "tbody",
    "td",
    "a",
    "footer",
    "nav",
}


class Reader(html.parser.HTMLParser):
    """Reads a page, checks that it is well formed, and collects what a browser would take for code or address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "style", "action", "srcset", "formaction")
            if name == "href":
                self.addresses.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def said(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def read(data: PageData, *, details: bool = True) -> Reader:
    return Reader(page(data, details=details).body.decode())


def labels(target: str, **more: str) -> dict[str, str]:
    return {"environment": "production", "target": target, **more}


def data(**changes) -> PageData:
    targets = (
        TargetRow(
            "odoo", labels("acme", tenant="acme"), "up", (), NOW - dt.timedelta(seconds=4), 0.0123, "/probe?target=acme"
        ),
        TargetRow("odoo", labels("birch", tenant="birch"), "unknown"),
        TargetRow("postgresql", labels("pg-07", cell="c7"), "up", ("wal_archive",), NOW, 0.018),
        TargetRow("postgresql", labels("pg-08", cell="c8"), "down", (), NOW - dt.timedelta(days=2), 9.5),
    )
    troubles = (
        Trouble(
            "postgresql",
            labels("pg-07", cell="c7"),
            "a right is missing",
            NOW - dt.timedelta(minutes=42),
            "wal_archive",
        ),
        Trouble("postgresql", labels("pg-08", cell="c8"), "no answer in time", NOW - dt.timedelta(hours=3, minutes=12)),
    )
    links = (Link("Metrics", "/metrics"), Link("Discovery", "/sd"))
    everything = {"counts": kinds_of(targets), "troubles": troubles, "targets": targets, "links": links}
    return PageData(**{"version": "1.2.3", "now": NOW, **everything, **changes})


def test_who_may_not_know_sees_counts_only():
    seen = read(data(notes=("note of the operator",)), details=False)
    assert seen.said.startswith("closewatch: 1 down closewatch 1.2.3 2026-06-01 12:00:00 UTC 1 of 4 targets down.")
    assert "odoo up 1 down 0 not asked yet 1 postgresql up 1 down 1 not asked yet 0" in seen.said
    for hidden in ("acme", "pg-07", "pg-08", "production", "c8", "wal_archive", "no answer in time", "note of"):
        assert hidden not in seen.said
    assert seen.addresses == ["/metrics", "/sd"]
    assert "Which targets these are is shown to who logs in" in seen.said


def test_who_may_know_sees_what_is_wrong_first_then_every_target():
    said = read(data(notes=("The configuration was not loaded.",))).said
    order = [
        "1 of 4 targets down, 1 answers only in part.",
        "The configuration was not loaded.",
        "What is wrong",
        "pg-08 postgresql, environment production, cell c8 for 3 h 12 min down no answer in time",
        "pg-07 postgresql, environment production, cell c7 for 42 min collector wal_archive a right is missing",
        "Targets by kind",
        "All targets",
        "pg-08 down postgresql production c8 2 d ago 9,500 ms",
        "pg-07 partly wal_archive postgresql production c7 0 s ago 18 ms",
        "birch not asked yet odoo production birch",
        "acme up odoo production acme 4 s ago 12 ms",
    ]
    places = [said.find(words) for words in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((), "Nothing is watched: the configuration has no targets."),
        (("up",), "1 target up. Nothing is wrong."),
        (("up", "up"), "2 targets up. Nothing is wrong."),
        (("up", "unknown"), "1 target up, 1 not asked yet."),
        (("unknown",), "No target was asked yet"),
        (("down",), "1 of 1 target down."),
        (("down", "up", "down"), "2 of 3 targets down."),
    ],
)
def test_the_verdict(rows, words):
    targets = tuple(TargetRow("odoo", labels(f"t{n}"), state) for n, state in enumerate(rows))
    assert words in read(data(targets=targets, counts=kinds_of(targets), troubles=())).said


def test_the_browser_is_forbidden_everything_but_the_style_sheet():
    response = page(data(), details=True)
    assert (response.status, response.content_type) == (200, "text/html; charset=utf-8")
    style = re.findall(r"<style>(.*?)</style>", response.body.decode(), re.DOTALL)
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_for_everybody():
    text = page(data(), details=True).body.decode()
    assert '<html lang="en">' in text
    assert '<meta name="viewport"' in text
    assert text.count("<main>") == text.count("<h1>") == 1
    assert 'scope="col"' in text
    assert 'scope="row"' in text
    assert "prefers-color-scheme: dark" in text


HOSTILE = [
    "<script>alert(1)</script>",
    "\"' onmouseover='alert(1)",
    "</style><script>",
    "&lt;b&gt;",
    "]]><!--",
    "{{7*7}}${7*7}",
    "a\nb\r\tc\x00\x1b[31m\u202e\u2028",
    "\ud800",
    "x" * 10_000,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name):
    everywhere = data(
        version=name,
        counts=(KindCount(name, 1, 1, 1),),
        troubles=(Trouble(name, dict.fromkeys(("target", *module.LABELS), name), name, NOW, name),),
        targets=(TargetRow(name, dict.fromkeys(("target", *module.LABELS), name), "up", (name,), NOW, 1.0, name),),
        links=(Link(name, "/x"), Link("y", name)),
        notes=(name,),
    )
    seen = read(everywhere)
    assert seen.tags <= TAGS
    assert seen.addresses == ["/x"]
    assert len(page(everywhere, details=True).body) < 15_000
    assert all(word.isprintable() or word.isspace() for word in seen.words)


@settings(deadline=None)
@given(st.text(max_size=50))
def test_no_text_becomes_markup(name):
    row = TargetRow(name, {"target": name, "tenant": name}, "down", (name,), None, None, "/probe?target=" + name)
    seen = read(data(targets=(row,), troubles=(Trouble(name, {"target": name}, name),), notes=(name,)))
    assert seen.tags <= TAGS


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "//evil.example", "/\\evil.example", "https://evil.example", "", "x", "/a\n"]
)
def test_only_addresses_of_this_server_become_links(href):
    assert read(data(targets=(), troubles=(), links=(Link("x", href),))).addresses == []


def test_an_address_keeps_its_parameters():
    assert read(data(targets=(), links=(Link("x", "/probe?a=1&b=2"),))).addresses == ["/probe?a=1&b=2"]


def test_a_long_list_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(module, "MAX_TARGETS", 3)
    monkeypatch.setattr(module, "MAX_TROUBLES", 2)
    rows = tuple(TargetRow("odoo", labels(f"t{n}"), "down") for n in range(10))
    troubles = tuple(Trouble("odoo", labels(f"t{n}"), "refused") for n in range(10))
    said = read(data(targets=rows, troubles=troubles, counts=kinds_of(rows))).said
    assert "And 7 more: see /metrics." in said
    assert "And 8 more: see /metrics." in said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_601, "1 h"),
        (11_520, "3 h 12 min"),
        (90_000, "1 d 1 h"),
        (864_000_000, "10000 d"),
    ],
)
def test_ages_in_two_units(seconds, words):
    assert module._ago(dt.timedelta(seconds=seconds)) == words


def test_another_time_zone_is_shown_as_utc():
    paris = dt.timezone(dt.timedelta(hours=2))
    seen = read(PageData("1", NOW.astimezone(paris), (), (Trouble("odoo", labels("a"), "x", NOW.astimezone(paris)),)))
    assert "2026-06-01 12:00:00 UTC" in seen.said
    assert "for 0 s" in seen.said
