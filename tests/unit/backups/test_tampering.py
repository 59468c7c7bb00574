"""Tampering: no false alarm in the normal life of a bucket, and a sign for each thing that an attacker does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.backups.tampering import DAY, SIGNS, Kept, View, compare, differs

STATE: Mapping[str, Any] = {
    "versioning": "enabled", "lock": True, "lock_mode": "compliance", "lock_days": 35, "rules": [], "kms": False,
}  # fmt: skip
NOW = 1_795_000_000.0


def tag(text: object) -> str:
    return hashlib.md5(str(text).encode(), usedforsecurity=False).hexdigest()


def kept(age: float, content: object = "x", size: int = 100, **more: Any) -> Kept:
    return Kept(size, tag(content), NOW - age * DAY, **more)


def view(objects: Mapping[str, Kept], at: float = NOW, state: Mapping[str, Any] = STATE, **more: Any) -> View:
    return View(at, dict(state), objects, **more)


def signs(before: View, now: View, retention: float | None = 35) -> list[str]:
    return [one.sign for one in compare(before, now, retention)[0]]


def rule(current: int | None, noncurrent: int | None = None, prefix: str = "", **more: Any) -> dict[str, Any]:
    return {"prefix": prefix, "current": current, "noncurrent": noncurrent, "filtered": False, **more}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"versioning": "suspended"}, ["versioning_weakened"]),
        ({"versioning": "never"}, ["versioning_weakened"]),
        ({"versioning": None}, []),
        ({"lock": False, "lock_days": None, "lock_mode": None}, ["lock_weakened"]),
        ({"lock": None, "lock_days": None, "lock_mode": None}, []),
        ({"lock_mode": "governance"}, ["lock_weakened"]),
        ({"lock_days": 0, "lock_mode": None}, ["lock_weakened"]),
        ({"lock_days": 34}, ["retention_shortened"]),
        ({"lock_days": 36}, []),
        ({"rules": [rule(40)]}, ["lifecycle_added"]),
        ({"rules": [rule(None, 3)]}, ["lifecycle_added"]),
        ({"rules": None}, []),
    ],
)
def test_the_configuration(changed: dict[str, Any], expected: list[str]):
    assert signs(view({}), view({}, state={**STATE, **changed})) == expected


@pytest.mark.parametrize(
    ("before", "now", "added"),
    [
        ([rule(40)], [rule(40)], False),
        ([rule(40)], [rule(50)], False),
        ([rule(40)], [rule(30)], True),
        ([rule(40)], [], False),
        ([rule(40)], [rule(40, prefix="acme/")], False),
        ([rule(40, prefix="acme/")], [rule(40)], True),
        ([rule(40)], [rule(40, 3)], True),
        ([rule(40, 3)], [rule(40, 3), rule(None, 4)], False),
        ([rule(40, filtered=True)], [rule(40)], True),
        ([rule(40, filtered=True)], [rule(40, filtered=True)], False),
        (None, [rule(1)], False),
    ],
)
def test_rules_that_delete_more_or_earlier(before: Any, now: Any, added: bool):
    found = signs(view({}, state={**STATE, "rules": before}), view({}, state={**STATE, "rules": now}))
    assert found == (["lifecycle_added"] if added else [])


@pytest.mark.parametrize(
    ("old", "retention", "more", "gone"),
    [
        (kept(33), 35, {}, True),
        (kept(34.5), 35, {}, False),  # programs go by dates
        (kept(40), 35, {}, False),
        (kept(40, until=NOW + 60), 35, {}, True),
        (kept(40, until=NOW - 60), 35, {}, False),
        (kept(3), None, {}, True),  # the lock's default of 35 days
        (kept(3), None, {"unlocked": True}, False),  # nobody knows how long it was to be kept
        (kept(40), 35, {"listed": {"a": True}}, True),
        (kept(40), 35, {"listed": {"b": True}}, False),
        (kept(400), 35, {"lasting": lambda name: name == "a"}, True),
        (kept(3), 35, {"covers": lambda _: False}, False),
        (kept(0.4), 1, {}, True),
        (kept(0.6), 1, {}, False),
    ],
)
def test_gone_is_not_expired(old: Kept, retention: float | None, more: dict[str, Any], gone: bool):
    state = {**STATE, "lock_days": None, "lock": False} if more.pop("unlocked", False) else STATE
    assert signs(view({"a": old}, state=state), view({}, state=state, **more), retention) == (["gone"] if gone else [])


@pytest.mark.parametrize(
    ("old", "new", "kms", "expected"),
    [
        (Kept(1, tag(1), 0), Kept(2, tag(1), 0), False, True),
        (Kept(1, tag(1), 0), Kept(1, tag(2), 0), False, True),
        (Kept(1, tag(1), 0), Kept(1, tag(2), 0), True, False),
        (Kept(1, tag(1), 0), Kept(2, tag(2), 0), True, True),
        (Kept(1, tag(1), 0), Kept(1, tag(2) + "-3", 0), False, False),
        (Kept(1, tag(1) + "-2", 0), Kept(1, tag(2) + "-3", 0), False, False),
        (Kept(1, tag(1) + "-3", 0), Kept(1, tag(2) + "-3", 0), False, True),
        (Kept(1, tag(1), 0, None, "sha256:a"), Kept(1, tag(2), 0, None, "sha256:a"), False, False),
        (Kept(1, tag(1) + "-2", 0, None, "sha256:a"), Kept(1, tag(2), 0, None, "sha256:b"), False, True),
        (Kept(1, tag(1), 0, None, "sha256:a"), Kept(1, tag(1), 0, None, "crc32:b"), False, False),
        (Kept(1, "", 0), Kept(1, tag(1), 0), False, False),
    ],
)
def test_another_content_is_told_from_another_etag(old: Kept, new: Kept, kms: bool, expected: bool):
    assert differs(old, new, kms=kms) is expected


def test_a_name_that_comes_back_each_week_may_be_overwritten():
    before, now = view({"mon.dump": kept(7, "a")}), view({"mon.dump": kept(0, "b")})
    assert signs(before, now, 7) == []
    assert signs(before, now, 35) == ["changed"]
    assert signs(before, now, None) == ["changed"]


@pytest.mark.parametrize(
    ("count", "usual", "burst"),
    [(10, (), False), (11, (), True), (11, (0, 0, 0), True), (15, (5, 5, 5), False), (16, (5, 5, 5), True)],
)
def test_a_burst(count: int, usual: tuple[int, ...], burst: bool):
    before = view({f"{n}": kept(3, n) for n in range(count)}, deletions=usual)
    assert ("delete_burst" in signs(before, view({}))) is burst


def test_deletions_of_what_was_not_known_one_by_one_count():
    hidden = {f"{n}": (NOW - 60, NOW - 3 * DAY) for n in range(11)}
    assert signs(view({}, at=NOW - 3600), view({}, hidden=hidden)) == ["delete_burst"]
    assert signs(view({}, at=NOW - 30), view({}, hidden=hidden)) == []  # seen by the look before
    old = {name: (at, NOW - 60 * DAY) for name, (at, _) in hidden.items()}
    assert signs(view({}, at=NOW - 3600), view({}, hidden=old)) == []


def test_a_retention_of_one_object():
    old = kept(3, until=NOW + 30 * DAY)
    assert signs(view({"a": old}), view({"a": replace(old, until=NOW + DAY)})) == ["retention_shortened"]
    assert signs(view({"a": old}), view({"a": replace(old, until=None)})) == []  # not asked this time
    assert signs(view({"a": old}), view({"a": replace(old, until=None)}, freed=frozenset("a"))) == [
        "retention_shortened"
    ]
    assert signs(view({"a": old}), view({"a": replace(old, until=NOW + 40 * DAY)})) == []


@st.composite
def life(draw: st.DrawFn) -> list[tuple[float, dict[str, Kept], bool]]:
    """Looks at a bucket over weeks: backups each day, expired by age at any look after it; classes change."""
    retention = draw(st.integers(1, 60))
    days = draw(st.integers(2, 90))
    made: dict[str, Kept] = {}
    looks = []
    for day in range(days):
        now = NOW + day * DAY
        for number in range(draw(st.integers(0, 3))):
            name = f"{day:03}-{number}.dump"
            made[name] = Kept(draw(st.integers(1, 9999)), tag((day, number)), now - draw(st.floats(0, DAY / 2)))
        due = [name for name, one in made.items() if now - one.at >= retention * DAY]
        for name in draw(st.sets(st.sampled_from(due)) if due else st.just(set())):
            del made[name]
        for name in draw(st.sets(st.sampled_from(sorted(made)), max_size=2) if made else st.just(set())):
            # A copy onto itself, as for another class of storage: another date, and an ETag of another form.
            made[name] = replace(made[name], tag=tag(name + "copied") + "-9" if "-" not in made[name].tag else "")
        looks.append((now, dict(made), draw(st.booleans())))
    return [(retention * 1.0, {}, False), *looks]


@given(life())
def test_no_sign_in_a_normal_life(looks: list[tuple[float, dict[str, Kept], bool]]):
    retention = looks[0][0]
    before: View | None = None
    for at, objects, truncated in looks[1:]:
        seen = {name: one for name, one in objects.items() if not truncated or name < "040"}
        now = view(seen, at, covers=lambda name, cut=truncated: not cut or name < "040")
        if before is not None:
            now = replace(now, deletions=before.deletions)
            found, early = compare(before, now, retention)
            assert found == []
            assert early == 0
        carried = {name: one for name, one in (before.objects if before else {}).items() if not now.covers(name)}
        before = replace(now, objects={**carried, **seen})


@given(
    st.integers(2, 60),
    st.dictionaries(st.text("abc", min_size=1), st.floats(0.0, 1.0), min_size=1, max_size=30),
    st.data(),
)
def test_an_attacker_is_always_seen(retention: int, ages: dict[str, float], data: st.DataObject):
    objects = {name: kept(share * (retention - 1.01), name) for name, share in ages.items()}
    before = view(objects)
    victim = data.draw(st.sampled_from(sorted(objects)))
    harm = data.draw(st.sampled_from(["delete", "overwrite", "same_size"]))
    after = {name: one for name, one in objects.items() if name != victim}
    if harm == "overwrite":
        after[victim] = Kept(data.draw(st.integers(0, 99)), tag("ransom"), NOW)
    elif harm == "same_size":
        after[victim] = Kept(100, tag("ransom"), NOW)
    assert signs(before, view(after), retention) == ["gone" if harm == "delete" else "changed"]


@given(st.data())
def test_any_weakening_is_always_seen(data: st.DataObject):
    days = data.draw(st.integers(1, 4000))
    state = {**STATE, "lock_days": days}
    harm: dict[str, dict[str, Any]] = {
        "versioning_weakened": {"versioning": data.draw(st.sampled_from(["suspended", "never"]))},
        "lock_weakened": data.draw(st.sampled_from([{"lock": False}, {"lock_days": 0}, {"lock_mode": "governance"}])),
        "lifecycle_added": {"rules": [rule(data.draw(st.integers(0, 4000)))]},
    }
    if days > 1:
        harm["retention_shortened"] = {"lock_days": data.draw(st.integers(1, days - 1))}
    chosen = data.draw(st.sets(st.sampled_from(sorted(harm)), min_size=1))
    if {"lock_weakened", "retention_shortened"} <= chosen:
        chosen -= {"retention_shortened"}
    after = dict(state)
    for one in chosen:
        after |= harm[one]
    assert set(signs(view({}, state=state), view({}, state=after))) == chosen
    assert chosen <= set(SIGNS)
