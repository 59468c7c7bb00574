"""Samples as exposition text; hostile label values; what the official parser makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from closewatch.core.exposition import Labelled, exposition
from closewatch.core.families import Counter, Gauge
from closewatch.core.labels import MAX_LENGTH, clean

SIZE = Gauge("closewatch_test_size_bytes", "How large it is.", ("name",))
SEEN = Counter("closewatch_test_seen_total", "How often.")
LABELS = {"environment": "production", "cell": "pg-07", "tenant": "acme", "target": "pg-07"}


def test_the_text_is_literally_this() -> None:
    body, content_type = exposition(
        [
            Labelled(LABELS, [SIZE(12, name="a"), SEEN(3), SIZE(None, name="unknown")]),
            Labelled({"environment": "production", "target": "x"}, [SIZE(1.5, name="")]),
        ]
    )
    assert content_type.startswith("text/plain; version=0.0.4")
    assert body.decode() == (
        "# HELP closewatch_test_size_bytes How large it is.\n"
        "# TYPE closewatch_test_size_bytes gauge\n"
        'closewatch_test_size_bytes{cell="pg-07",environment="production",name="a",target="pg-07",tenant="acme"} 12.0\n'
        'closewatch_test_size_bytes{environment="production",target="x"} 1.5\n'
        "# HELP closewatch_test_seen_total How often.\n"
        "# TYPE closewatch_test_seen_total counter\n"
        'closewatch_test_seen_total{cell="pg-07",environment="production",target="pg-07",tenant="acme"} 3.0\n'
    )


def test_openmetrics_is_given_to_who_asks() -> None:
    body, content_type = exposition([Labelled(LABELS, [SEEN(3)])], "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text_survives_as_a_label(value: str) -> None:
    body, _ = exposition([Labelled(LABELS, [SIZE(1, name=value)])])
    (family,) = text_string_to_metric_families(body.decode())
    (sample,) = family.samples
    assert sample.labels.get("name", "") == clean(value)
    assert len(clean(value)) <= MAX_LENGTH


def test_two_long_names_stay_two() -> None:
    one, two = clean("x" * 10_000 + "1"), clean("x" * 10_000 + "2")
    assert one != two
    assert len(one) == len(two) == MAX_LENGTH


def test_hostile_names() -> None:
    hostile = '"}\n# TYPE evil counter\nevil 1\n{a="<script>alert(1)</script>\\'
    body, _ = exposition([Labelled(LABELS, [SIZE(1, name=hostile)])])
    assert len(body.decode().splitlines()) == 3
