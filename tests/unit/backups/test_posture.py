"""Posture: answers in, facts out; what is denied or not implemented is never taken for safe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from closewatch.backups.layouts import LAYOUTS, layout, listed
from closewatch.backups.posture import Wanted, contradictions, deleting, facts, public
from closewatch.sources.s3.objects import Objects, Seen, Walk, Walker
from closewatch.sources.s3.posture import QUESTIONS, Held, Look, Told, Unsure

NOW = 1_795_000_000.0
DENIED, NOT_THERE, NOT_SET = Told(unsure=Unsure.DENIED), Told(unsure=Unsure.NOT_IMPLEMENTED), Told()
REFUSED, EXPOSED = Told({"exposed": False}), Told({"exposed": True})
OPEN = Told({"PolicyStatus": {"IsPublic": True}})
EVERYBODY = {"Grantee": {"URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}
OPEN_ACL = Told({"Grants": [EVERYBODY]})
BLOCKED = Told({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": True, "IgnorePublicAcls": True}})
ACLS_OFF = Told({"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}})


def policy(**statement: Any) -> Told:
    return Told({"Policy": json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:*", **statement}})})


def answers(**more: Told) -> dict[str, Told]:
    return {**dict.fromkeys((*QUESTIONS, "uploads"), NOT_SET), "outside": REFUSED, **more}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, False),
        ({"policy": OPEN}, True),
        ({"policy": OPEN, "block": BLOCKED}, False),
        ({"policy": OPEN, "block": BLOCKED, "outside": EXPOSED}, True),
        ({"policy": OPEN, "block": DENIED}, None),
        ({"policy": OPEN, "block": NOT_THERE}, True),
        ({"acl": OPEN_ACL}, True),
        ({"acl": OPEN_ACL, "block": BLOCKED}, False),
        ({"acl": OPEN_ACL, "ownership": ACLS_OFF}, False),
        ({"acl": OPEN_ACL, "ownership": ACLS_OFF, "outside": EXPOSED}, True),
        ({"policy": DENIED}, None),
        ({"acl": DENIED}, None),
        ({"acl": DENIED, "ownership": ACLS_OFF}, False),
        ({"policy": NOT_THERE, "acl": NOT_THERE}, False),  # nothing that could be public but what was tried
        ({"policy": NOT_THERE, "outside": Told(unsure=Unsure.UNKNOWN)}, None),
        ({"policy": policy(Principal="*")}, True),
        ({"policy": policy(Principal={"AWS": ["*"]})}, True),
        ({"policy": policy(Principal={"AWS": "*"}, Condition={"IpAddress": {}})}, None),
        ({"policy": policy(Principal={"AWS": "arn:aws:iam::1:root"})}, False),
        ({"policy": policy(NotPrincipal={"AWS": "x"})}, True),
        ({"policy": policy(Principal="*", Effect="Deny")}, False),
        ({"policy": Told({"Policy": "{hostile"})}, None),
        ({"policy": Told({"Policy": "[1]"})}, None),
    ],
)
def test_public(told: dict[str, Told], expected: bool | None):
    assert public(answers(**told)) is expected


def rules(*found: dict[str, Any]) -> Told:
    return Told({"Rules": [{"Status": "Enabled", **one} for one in found]})


def test_only_rules_that_delete_below_the_prefix_count():
    told = rules(
        {"Filter": {"Prefix": "acme/"}, "Expiration": {"Days": 7}},
        {"Prefix": "", "NoncurrentVersionExpiration": {"NoncurrentDays": 3}},
        {"Filter": {"And": {"Prefix": "acme/x", "Tags": []}}, "Expiration": {"Days": 9}},
        {"Filter": {"Prefix": "other/"}, "Expiration": {"Days": 1}},
        {"Filter": {}, "Transitions": [{"Days": 1}]},
        {"Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
        {"Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"Filter": {}, "Expiration": {"Days": 1}, "Status": "Disabled"},
    )
    found = deleting(told, "acme/")
    assert found is not None
    assert sorted((one["prefix"], one["current"], one["noncurrent"], one["filtered"]) for one in found) == [
        ("", None, 3, False),
        ("acme/", 7, None, False),
        ("acme/x", 9, None, True),
    ]
    assert deleting(DENIED, "") is None
    assert deleting(NOT_SET, "") == []


@pytest.mark.parametrize(
    ("current", "noncurrent", "lock_days", "expected"),
    [
        (None, None, 0, ["lock_shorter", "noncurrent_kept_for_ever"]),
        (34, 35, 35, ["current_before_retention"]),
        (35, 35, 35, []),
        (None, 7, 35, []),  # the lock holds what the rule would delete
        (None, 7, 3, ["noncurrent_before_retention", "lock_shorter"]),
    ],
)
def test_contradictions(current: int | None, noncurrent: int | None, lock_days: int, expected: list[str]):
    rule = {"prefix": "", "current": current, "noncurrent": noncurrent, "filtered": False}
    found = [rule] if (current, noncurrent) != (None, None) else []
    lock = {"enabled": True, "mode": None, "days": lock_days}
    assert contradictions(found, lock, "enabled", Wanted(35)) == expected
    assert contradictions(None, lock, "enabled", Wanted(35)) is None


def look(held: list[Held], **more: Told) -> Look:
    return Look(answers(**more), Objects(), held, (), 0, {})


def test_facts_of_a_locked_bucket():
    default = {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}
    lock = Told({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": default}})
    held = [Held("a", NOW + 50, "COMPLIANCE", None, None), Held("b", NOW + 40, "GOVERNANCE", None, None)]
    found = facts(look(held, lock=lock, versioning=Told({"Status": "Enabled"})), "", Wanted(35), NOW)
    assert (found["lock"], found["lock_mode"], found["lock_days"]) == (True, "compliance", 365)
    assert (found["retained_until"], found["newest_locked"]) == (NOW + 40, True)
    assert found["modes"] == ["COMPLIANCE", "GOVERNANCE"]


@pytest.mark.parametrize("unsure", list(Unsure))
def test_what_has_no_answer_is_none(unsure: Unsure):
    told = dict.fromkeys((*QUESTIONS, "outside"), Told(unsure=unsure))
    found = facts(look([Held("a", None, None, None, None, unsure)], **told), "", Wanted(35), NOW)
    names = ("versioning", "lock", "lock_days", "public", "encrypted", "replicated", "rules", "contradictions")
    assert {found[name] for name in (*names, "retained_until", "newest_locked")} == {None}
    assert set(found["unknown"]) == {*QUESTIONS, "outside"}


def test_a_newest_backup_without_a_lock_is_not_retained():
    held = [Held("a", NOW + 50, "COMPLIANCE", None, None), Held("b", None, None, None, None)]
    lock = Told({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}})
    found = facts(look(held, lock=lock), "", Wanted(), NOW)
    assert (found["retained_until"], found["newest_locked"]) == (0.0, False)


@pytest.mark.parametrize(
    ("name", "kept", "not_kept"),
    [
        ("files", "a.dump", "latest.dump a.dump.sha256 a.dump.part .hidden x/a.dump folder/ a.log"),
        ("pgbackrest", "backup/main/20260101-020000F/backup.manifest",
         ("backup/main/backup.info backup/main/backup.info.copy archive/main/archive.info backup/main/latest"
         " backup/main/20260101-020000F/backup.manifest.copy backup/main/20260101-020000F/pg_data/x.gz")),
        ("restic", f"snapshots/{'a' * 64}", f"locks/{'a' * 64} index/{'a' * 64} data/aa/{'a' * 64} snapshots/x"),
        ("barman", "base/20260101T020000/backup.info", "base/20260101T020000/data.tar wals/0/1 identity.json"),
        ("walg", "basebackups_005/base_0001_backup_stop_sentinel.json", "basebackups_005/base_0001/metadata.json"),
    ],
)  # fmt: skip
def test_only_what_is_never_rewritten_is_compared(name: str, kept: str, not_kept: str):
    of = layout(name, "*")
    assert of.keep(kept)
    assert [one for one in not_kept.split() if of.keep(one)] == []


def test_pgbackrests_catalogue():
    text = '[backrest]\nbackrest-format=5\n\n[backup:current]\n20260101-020000F={"a":1}\n\n[db]\n20260102-020000F={}\n'
    assert listed({"backup/main/backup.info": text}) == {
        "backup/main/20260101-020000F/backup.manifest": True,
        "backup/main/backup.info": True,
    }
    assert listed({"backup/main/backup.info": "encrypted"}) is None
    assert set(LAYOUTS) == {"pgbackrest", "restic", "barman", "walg"}


def test_without_the_right_to_list_versions_the_current_ones_are_listed():
    class At:
        def timestamp(self) -> float:
            return NOW

    def ask(call: str, ask: Any) -> Any:
        item = {"Key": "p/a", "Size": 1, "ETag": '"x"', "LastModified": At()}
        return None if call == "list_object_versions" else {"Contents": [item]}

    walker = Walker(ask, "p/", lambda _: True)
    walker.walk(Walk())
    assert (walker.found.current, walker.found.versions) == ({"a": Seen("a", 1, "x", NOW)}, False)
    nothing = Walker(lambda *_: None, "p/", lambda _: True)
    nothing.walk(Walk(("backup", "*"), "x"))
    nothing.walk(Walk())
    assert not nothing.found.covers("a")
    assert not nothing.found.covers("backup/b/x")


def test_folders_beyond_the_bound_are_not_looked_at(monkeypatch: pytest.MonkeyPatch):
    from closewatch.sources.s3 import objects

    monkeypatch.setattr(objects, "FOLDERS", 2)
    folders = [{"Prefix": f"base/{number}/"} for number in range(5)]
    walker = Walker(lambda call, _: {"CommonPrefixes": folders} if call == "list_objects_v2" else {}, "", bool)
    walker.walk(Walk(("base", "*"), "backup.info"))
    assert [walker.found.covers(f"base/{number}/backup.info") for number in range(5)] == [False] * 3 + [True] * 2
