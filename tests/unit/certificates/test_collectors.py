"""Rows in, samples out: what each collector of certificates says, and in which order it leaves places out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from closewatch.certificates import COLLECTORS
from closewatch.certificates.expiry import EXPIRY
from closewatch.certificates.reload import RELOAD
from closewatch.certificates.verification import VERIFICATION
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.targets import Target

NOW = 1_800_000_000.0
DAY = 86_400.0


def _row(name: str = "a", **values: Any) -> dict[str, Any]:
    return {"source": "endpoint", "certificate": name, "failure": None, "problems": (), "verified": None, **values}


def _read(collector: Collector, *rows: dict[str, Any], limit: int = 1_000, memory: Memory | None = None) -> list[str]:
    target = Target.of("certificates", "front", environment="test", settings=SimpleNamespace(limit=limit))
    lines = []
    for sample in collector.read(Answer({"main": rows}, asked_at=NOW), target, {} if memory is None else memory):
        assert sample.family in collector.families
        if sample.value is not None:
            name = sample.family.name.removeprefix("closewatch_certificate_")
            labels = ",".join(f"{k}={v}" for k, v in zip(sample.family.labels, sample.labels, strict=True))
            lines.append(f"{name}{{{labels}}} {sample.value:.15g}")
    return lines


def test_a_place_has_its_times_or_its_reason_or_both() -> None:
    assert _read(
        EXPIRY,
        _row("good", not_before=NOW - DAY, not_after=NOW + DAY, chain_not_after=NOW + 9 * DAY),
        _row("gone", source="file", failure="gone"),
        _row("cut", failure="timeout", not_before=NOW - DAY, not_after=NOW + 2 * DAY),
    ) == [
        "unreadable{source=file,certificate=gone,reason=gone} 1",
        "not_after_timestamp_seconds{source=endpoint,certificate=good} 1800086400",
        "not_before_timestamp_seconds{source=endpoint,certificate=good} 1799913600",
        "chain_not_after_timestamp_seconds{source=endpoint,certificate=good} 1800777600",
        "not_after_timestamp_seconds{source=endpoint,certificate=cut} 1800172800",
        "not_before_timestamp_seconds{source=endpoint,certificate=cut} 1799913600",
        "unreadable{source=endpoint,certificate=cut,reason=timeout} 1",
        "places{source=endpoint} 2",
        "places{source=file} 1",
        "omitted_places{} 0",
    ]


def test_what_ends_soonest_is_shown_first_and_the_rest_is_counted() -> None:
    rows = [_row(f"c{n}", not_before=0, not_after=NOW + n * DAY) for n in (5, 1, 4, 2)]
    lines = _read(EXPIRY, *rows, _row("late", not_before=0, not_after=NOW - DAY), _row("gone", failure="gone"), limit=3)
    shown = [line for line in lines if line.startswith(("not_after", "unreadable"))]
    assert [line.partition("certificate=")[2].partition("}")[0].partition(",")[0] for line in shown] == [
        "late",
        "gone",
        "c1",
    ]
    assert lines[-2:] == ["places{source=endpoint} 6", "omitted_places{} 3"]


def test_a_verdict_is_there_only_where_something_was_verified() -> None:
    assert _read(
        VERIFICATION,
        _row("bad", not_after=NOW + 1, verified=False, problems=("expired", "weak_key"), staple_until=NOW + DAY),
        _row("good", not_after=NOW + 2, verified=True),
        _row("file", source="file", not_after=NOW + 3, problems=("weak_key",)),
        _row("gone", failure="refused"),
    ) == [
        "verified{source=endpoint,certificate=bad} 0",
        "staple_next_update_timestamp_seconds{source=endpoint,certificate=bad} 1800086400",
        "problem{source=endpoint,certificate=bad,reason=expired} 1",
        "problem{source=endpoint,certificate=bad,reason=weak_key} 1",
        "verified{source=endpoint,certificate=good} 1",
        "problem{source=file,certificate=file,reason=weak_key} 1",
    ]


def test_since_when_another_certificate_waits_is_kept_until_yet_another_one_does() -> None:
    memory: Memory = {}

    def read(stored: str | None, written: float | None) -> list[str]:
        row = _row(fingerprint="aa", not_after=NOW, stored_fingerprint=stored, stored_written=written)
        return [line.rpartition(" ")[2] for line in _read(RELOAD, row, memory=memory)]

    assert read("aa", 100) == ["1"]
    assert read("bb", 200) == ["0", "200"]
    assert read("bb", 300) == ["0", "200"]
    assert read("cc", 400) == ["0", "400"]
    assert read("aa", 500) == ["1"]
    assert read("bb", 600) == ["0", "600"]
    assert read(None, None) == []


def test_all_are_asked_in_the_slow_lane_and_share_one_question() -> None:
    assert {collector.every for collector in COLLECTORS} == {30.0}
    assert {str(collector.ask) for collector in COLLECTORS} == {"{'main': 'places'}"}
    names = [family.name for collector in COLLECTORS for family in collector.families]
    assert len(set(names)) == len(names)


def test_no_series_carries_a_serial_number_or_a_fingerprint() -> None:
    labels = {label for collector in COLLECTORS for family in collector.families for label in family.labels}
    assert labels == {"source", "certificate", "reason"}
