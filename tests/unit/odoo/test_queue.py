"""The collector `queue`."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.odoo.queue import COUNTED, FEW, LOOKED, NAMED, OTHER, QUEUE, STATES
from tests.unit.odoo.reading import read


def rows(
    states: dict[str, int] | None = None,
    channels: dict[tuple[str, str], int] | None = None,
    classes: dict[str, int] | None = None,
    cap: int = COUNTED,
    **single: float | None,
) -> list[dict]:
    """What the statement answers; states that aren't named are what their channels add up to."""
    channels = channels or {}
    totals = {state: sum(jobs for (one, _), jobs in channels.items() if one == state) for state in STATES}
    oldest = {f"oldest_{state}": ("oldest", state) for state in ("pending", "enqueued", "started")}
    return [
        *({"kind": "state", "state": k, "name": None, "value": v} for k, v in {**totals, **(states or {})}.items()),
        *({"kind": "channel", "state": s, "name": n, "value": v} for (s, n), v in channels.items()),
        *({"kind": "class", "state": "failed", "name": n, "value": v} for n, v in (classes or {}).items()),
        *({"kind": "looked", "state": s, "name": None, "value": v} for s, v in totals.items() if v),
        {"kind": "cap", "state": None, "name": None, "value": float(cap)},
        {"kind": "done", "state": None, "name": None, "value": single.get("done")},
        *({"kind": k, "state": s, "name": None, "value": single[n]} for n, (k, s) in oldest.items() if n in single),
        *(
            []
            if single.get("dead", 0) is None
            else [{"kind": "dead", "state": None, "name": None, "value": single.get("dead", 0)}]
        ),
    ]


def jobs(lines: list[str]) -> dict[tuple[str, str], float]:
    """The lines of queue_jobs, by state and channel."""
    found = {}
    for line in lines:
        if line.startswith("queue_jobs{"):
            labels, _, value = line[len("queue_jobs{") :].rpartition("} ")
            state, _, channel = labels.partition(",channel=")
            found[state.removeprefix("state=").strip("'"), channel.strip("'\"")] = float(value)
    return found


def test_a_queue_with_work():
    assert read(
        QUEUE,
        *rows(
            channels={
                ("pending", "root"): 12,
                ("pending", "root.fin"): 3,
                ("failed", "root"): 2,
                ("started", "root"): 1,
            },
            classes={"odoo.exceptions.MissingError": 2},
            oldest_pending=1_795_000_000.0,
            oldest_started=1_795_000_100.0,
            done=1_795_000_200.0,
        ),
    ) == [
        "queue_jobs{state='pending',channel='root'} 12",
        "queue_jobs{state='pending',channel='root.fin'} 3",
        "queue_jobs{state='failed',channel='root'} 2",
        "queue_jobs{state='started',channel='root'} 1",
        "queue_jobs{state='pending',channel='other'} 0",
        "queue_jobs{state='failed',channel='other'} 0",
        "queue_jobs{state='started',channel='other'} 0",
        "queue_jobs{state='enqueued',channel='other'} 0",
        "queue_jobs{state='wait_dependencies',channel='other'} 0",
        "queue_jobs{state='cancelled',channel='other'} 0",
        "queue_failed_jobs{class='odoo.exceptions.MissingError'} 2",
        "queue_failed_jobs{class='other'} 0",
        "queue_dead_dependency_jobs 0",
        "queue_oldest_runnable_timestamp_seconds 1795000000",
        "queue_oldest_started_timestamp_seconds 1795000100",
        "queue_last_done_timestamp_seconds 1795000200",
        "queue_counts_capped 0",
        "queue_count_cap 50000",
        "queue_details_capped 0",
    ]


def test_an_empty_queue_has_counts_and_no_times():
    lines = read(QUEUE, *rows())
    assert set(jobs(lines)) == {(state, OTHER) for state in STATES}
    assert set(jobs(lines).values()) == {0.0}
    assert not [line for line in lines if "timestamp" in line]


def test_without_classes_and_graphs_there_are_no_series_of_them():
    lines = read(QUEUE, *rows(channels={("failed", "root"): 2}, dead=None))
    assert not [line for line in lines if "queue_failed_jobs" in line or "dead" in line]
    assert jobs(lines)["failed", "root"] == 2


def test_five_channels_have_a_name_and_the_rest_is_other():
    lines = read(QUEUE, *rows(channels={("pending", f"root.c{n}"): 10 + n for n in range(8)}))
    assert jobs(lines)["pending", OTHER] == 10 + 11 + 12
    assert {channel for _, channel in jobs(lines)} == {OTHER, *(f"root.c{n}" for n in range(3, 8))}


def test_what_was_counted_but_not_looked_at_is_other():
    states = {"pending": 7_000, "failed": 5_000}
    channels = {("pending", "root"): LOOKED, ("failed", "root"): LOOKED}
    lines = read(QUEUE, *rows(states, channels, {"KeyError": 700, "ValueError": 300}))
    assert jobs(lines)["pending", OTHER] == 6_000
    assert jobs(lines)["failed", OTHER] == 4_000
    assert "queue_failed_jobs{class='other'} 4000" in lines
    assert lines[-3:] == ["queue_counts_capped 0", "queue_count_cap 50000", "queue_details_capped 1"]


@pytest.mark.parametrize("cap", [COUNTED, FEW])
def test_a_capped_count_says_so_and_how_far_it_went(cap: int):
    lines = read(QUEUE, *rows(states={"failed": cap + 1}, channels={("failed", "root"): LOOKED}, cap=cap))
    assert sum(jobs(lines).values()) == cap
    assert lines[-3:] == ["queue_counts_capped 1", f"queue_count_cap {cap}", "queue_details_capped 1"]


def test_a_count_at_the_cap_is_not_capped():
    lines = read(QUEUE, *rows(states={"failed": FEW}, channels={("failed", "root"): LOOKED}, cap=FEW))
    assert lines[-3:] == ["queue_counts_capped 0", f"queue_count_cap {FEW}", "queue_details_capped 1"]


def test_a_channel_and_a_class_that_are_called_other_are_not_counted_twice():
    lines = read(
        QUEUE,
        *rows(channels={("failed", OTHER): 9, ("failed", "root"): 1}, classes={OTHER: 9, "KeyError": 1}),
    )
    assert jobs(lines)["failed", OTHER] == 9
    assert [line for line in lines if "queue_failed_jobs" in line] == [
        "queue_failed_jobs{class='KeyError'} 1",
        "queue_failed_jobs{class='other'} 9",
    ]


@pytest.mark.parametrize("name", ['a"b', "a}b{", "line\nbreak", "x" * 10_000, "<b>&amp;</b>", "\\", "\u202eevil", " "])
def test_hostile_names_pass_as_they_are(name: str):
    """The scrape cleans labels: here they only must not be mixed up."""
    lines = read(
        QUEUE,
        *rows(channels={("failed", name): 1, ("failed", name + "2"): 2}, classes={name: 1, name + "2": 2}),
    )
    assert f"queue_jobs{{state='failed',channel={name!r}}} 1" in lines
    assert f"queue_failed_jobs{{class={name + '2'!r}}} 2" in lines


def test_names_of_a_size_do_not_take_turns():
    memory: dict = {}
    first = read(QUEUE, *rows(channels={("pending", f"root.c{n}"): 10 for n in range(6)}), memory=memory)
    then = {("pending", f"root.c{n}"): 10 + (n == 5) * 9 for n in range(6)}
    assert {c for _, c in jobs(read(QUEUE, *rows(channels=then), memory=memory))} == {c for _, c in jobs(first)}
    surge = {**then, ("pending", "root.c5"): 1_000}
    assert ("pending", "root.c5") in jobs(read(QUEUE, *rows(channels=surge), memory=memory))


def test_a_channel_that_is_gone_gives_its_place():
    memory: dict = {}
    read(QUEUE, *rows(channels={("pending", f"old{n}"): 10 for n in range(5)}), memory=memory)
    lines = read(QUEUE, *rows(channels={("pending", f"new{n}"): 1 for n in range(5)}), memory=memory)
    assert jobs(lines)["pending", OTHER] == 0


NAMES = st.sampled_from(["root", "root.a", "root.b", "root.c", "root.d", "root.e", "root.f", OTHER, "", "x\n"])
CHANNELS = st.dictionaries(st.tuples(st.sampled_from(STATES), NAMES), st.integers(1, LOOKED), max_size=60)


@given(st.lists(CHANNELS, min_size=1, max_size=4), st.dictionaries(NAMES, st.integers(1, LOOKED)))
def test_states_stay_complete_and_series_few(scrapes: list[dict], classes: dict[str, int]):
    memory: dict = {}
    for channels in scrapes:
        answer = rows(channels=channels, classes=classes, states={"failed": 10_000})
        lines = read(QUEUE, *answer, memory=memory)
        found = jobs(lines)
        totals = {row["state"]: row["value"] for row in answer if row["kind"] == "state"}
        for state in STATES:
            assert math.fsum(value for (one, _), value in found.items() if one == state) == totals[state]
        assert len(found) <= NAMED + len(STATES)
        assert len({channel for _, channel in found}) <= 6
        failed = [line for line in lines if line.startswith("queue_failed_jobs")]
        assert len(failed) <= 6
        assert sum(float(line.rpartition(" ")[2]) for line in failed) == 10_000


def test_the_states_that_matter_most_keep_their_channels():
    channels = dict.fromkeys(itertools.product(STATES, [f"root.c{n}" for n in range(9)]), 5)
    found = jobs(read(QUEUE, *rows(channels=channels)))
    assert len(found) == NAMED + len(STATES)
    named = {state: sum(channel != OTHER for one, channel in found if one == state) for state in STATES}
    assert named == {"pending": 5, "failed": 5, "started": 0, "enqueued": 0, "wait_dependencies": 0, "cancelled": 0}
