"""What a bucket's answers say together: is it locked, versioned, private, encrypted; do its rules fit what was asked?

Each fact is yes, no, or None where it can't be told. Public is a policy or an ACL that lets anybody in, unless the
bucket's block undoes it; what a stranger was really given decides before that, as some services say one thing and do
another. That a stranger was refused is no proof against a policy that is public: it may let others in, or let write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from closewatch.sources.s3.posture import Held, Look, Told

DAY = 86_400.0
_EVERYBODY = ("/AllUsers", "/AuthenticatedUsers")
Rule = Mapping[str, Any]
"""A lifecycle rule that deletes: prefix, current, noncurrent (days, or None), filtered."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for, in days; None where nothing was."""

    retention: float | None = None
    locked: float | None = None


def facts(look: Look, prefix: str, wanted: Wanted, now: float) -> dict[str, Any]:
    """Booleans, numbers, or None: what the record keeps and the metrics show."""
    answers = look.answers
    lock = _lock(answers["lock"])
    rules = deleting(answers["lifecycle"], prefix)
    versioning = _versioning(answers["versioning"])
    return {
        "versioning": versioning,
        "mfa_delete": _told(answers["versioning"], lambda value: value.get("MFADelete") == "Enabled"),
        "lock": lock["enabled"],
        "lock_mode": lock["mode"],
        "lock_days": lock["days"],
        "public": public(answers),
        "encrypted": _told(answers["encryption"], _encrypted),
        "kms": _told(answers["encryption"], lambda value: "kms" in json.dumps(value, default=str)),
        "replicated": _told(answers["replication"], _replicated),
        "rules": rules,
        "contradictions": contradictions(rules, lock, versioning, wanted),
        "uploads": look.uploads,
        "delete_markers": look.objects.all_markers if look.objects.versions else None,
        "retained_until": retained_until(look.newest, lock["enabled"]),
        "modes": sorted({one.mode for one in look.newest if one.mode}),
        "newest_locked": _newest_locked(look.newest, wanted, now),
        "unknown": sorted(name for name, told in answers.items() if told.unsure is not None),
    }


def _told(told: Told, read: Any) -> bool | None:
    """False where it is not set, None where it is not known."""
    if told.unsure is not None:
        return None
    return told.value is not None and bool(read(told.value))


def _versioning(told: Told) -> str | None:
    """enabled, suspended, never; None where it is not known."""
    if told.unsure is not None:
        return None
    return {"Enabled": "enabled", "Suspended": "suspended"}.get((told.value or {}).get("Status", ""), "never")


def _lock(told: Told) -> dict[str, Any]:
    """Whether there is one, and what it does by itself to each new object."""
    if told.unsure is not None:
        return {"enabled": None, "mode": None, "days": None}
    found = (told.value or {}).get("ObjectLockConfiguration") or {}
    default = (found.get("Rule") or {}).get("DefaultRetention") or {}
    enabled = found.get("ObjectLockEnabled") == "Enabled"
    days = int(default.get("Days") or 0) + 365 * int(default.get("Years") or 0)
    mode = {"COMPLIANCE": "compliance", "GOVERNANCE": "governance"}.get(default.get("Mode") or "")
    return {"enabled": enabled, "mode": mode if days else None, "days": days if enabled else None}


def public(answers: Mapping[str, Told]) -> bool | None:
    """Whether anybody gets in."""
    outside = answers["outside"]
    if (outside.value or {}).get("exposed"):
        return True
    block = (answers["block"].value or {}).get("PublicAccessBlockConfiguration") or {}
    policy = False if block.get("RestrictPublicBuckets") else _policy(answers["policy"])
    acl = False if block.get("IgnorePublicAcls") else _acl(answers["ownership"], answers["acl"])
    if policy or acl:
        return None if answers["block"].unsure not in {None, "not_implemented"} else True
    open_questions = [answers[name].unsure for name, found in (("policy", policy), ("acl", acl)) if found is None]
    # Where a service doesn't know the question, nothing could let anybody in but what was tried.
    tried = outside.value is not None and all(unsure == "not_implemented" for unsure in open_questions)
    return False if tried or not open_questions else None


def _policy(told: Told) -> bool | None:
    if told.unsure is not None:
        return None
    value = told.value or {}
    if "PolicyStatus" in value:
        return bool(value["PolicyStatus"].get("IsPublic"))
    if "Policy" not in value:
        return False
    try:
        statements = json.loads(value["Policy"])["Statement"]
        found = [_statement(one) for one in (statements if isinstance(statements, list) else [statements])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return True if True in found else None if None in found else False


def _statement(one: Mapping[str, Any]) -> bool | None:
    """Whether a statement allows something to anybody; with a condition, it can't be told."""
    if one["Effect"] != "Allow":
        return False
    principal = one.get("Principal")
    named = principal.values() if isinstance(principal, dict) else [principal]
    anybody = "NotPrincipal" in one or any(name == "*" or (isinstance(name, list) and "*" in name) for name in named)
    return (None if one.get("Condition") else True) if anybody else False


def _acl(ownership: Told, acl: Told) -> bool | None:
    rules = ((ownership.value or {}).get("OwnershipControls") or {}).get("Rules") or ()
    if any(rule.get("ObjectOwnership") == "BucketOwnerEnforced" for rule in rules):
        return False
    if acl.unsure is not None:
        return None
    grants = (acl.value or {}).get("Grants") or ()
    return any(str((one.get("Grantee") or {}).get("URI", "")).endswith(_EVERYBODY) for one in grants)


def _encrypted(value: Mapping[str, Any]) -> bool:
    rules = (value.get("ServerSideEncryptionConfiguration") or {}).get("Rules") or ()
    return any((one.get("ApplyServerSideEncryptionByDefault") or {}).get("SSEAlgorithm") for one in rules)


def _replicated(value: Mapping[str, Any]) -> bool:
    rules = (value.get("ReplicationConfiguration") or {}).get("Rules") or ()
    return any(one.get("Status") == "Enabled" for one in rules)


def deleting(told: Told, prefix: str) -> list[dict[str, Any]] | None:
    """The enabled rules that delete what may lie below the prefix; None where they are not known."""
    if told.unsure is not None:
        return None
    found = []
    for rule in (told.value or {}).get("Rules") or ():
        where = rule.get("Filter") or {}
        both = where.get("And") or {}
        begin = str(rule.get("Prefix") or where.get("Prefix") or both.get("Prefix") or "")
        expiry = rule.get("Expiration") or {}
        current = 0 if expiry.get("Date") else expiry.get("Days")
        noncurrent = (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays")
        related = begin.startswith(prefix) or prefix.startswith(begin)
        if rule.get("Status") == "Enabled" and related and (current is not None or noncurrent is not None):
            filtered = bool(both or (set(where) - {"Prefix"}))
            found.append({"prefix": begin, "current": current, "noncurrent": noncurrent, "filtered": filtered})
    return sorted(found, key=lambda one: json.dumps(one, sort_keys=True))


def contradictions(
    rules: Sequence[Rule] | None, lock: Mapping[str, Any], versioning: str | None, wanted: Wanted
) -> list[str] | None:
    """What does not fit together, as words; None where it can't be told."""
    if rules is None:
        return None
    found = []
    days = wanted.retention
    held = days is not None and (lock["days"] or 0) >= days
    for rule in rules:
        if days is not None and rule["current"] is not None and rule["current"] < days:
            found.append("current_before_retention")
        if days is not None and rule["noncurrent"] is not None and rule["noncurrent"] < days and not held:
            found.append("noncurrent_before_retention")
    asked = wanted.locked if wanted.locked is not None else wanted.retention
    if asked and lock["enabled"] and lock["days"] < asked:
        found.append("lock_shorter")
    if versioning == "enabled" and not any(rule["noncurrent"] is not None for rule in rules):
        found.append("noncurrent_kept_for_ever")
    return found


def retained_until(newest: Sequence[Held], lock: bool | None) -> float | None:
    """The earliest end of retention of the newest backups; 0 where one is not retained, None where not known."""
    if not newest or lock is False or any(one.until is None and one.unsure for one in newest):
        return None
    return min(one.until or 0.0 for one in newest)


def _newest_locked(newest: Sequence[Held], wanted: Wanted, now: float) -> bool | None:
    """Whether the newest backups' locks hold still."""
    if not newest or any(one.until is None and one.unsure for one in newest):
        return None
    return all(one.hold or (one.until or 0.0) > now for one in newest)
