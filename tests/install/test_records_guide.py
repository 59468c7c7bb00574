"""Records verified by hand: the commands of the guide, run on a real store, and on one that was changed."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from closewatch.core.records import Chain
from closewatch.core.records.copies import bring_up_to_date, to_folder
from closewatch.core.records.heads import new_key, sign_due
from closewatch.core.records.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/guides/records.md").read_text("utf-8")
TOOLS = ("sqlite3", "sha256sum", "openssl", "jq", "xxd", "base64")
CHAIN = Chain("restore", "restores", "acme-dump")
ABOUT: Mapping[str, Any] = {
    "check": CHAIN.check,
    "check_version": 1,
    "kind": CHAIN.kind,
    "target": CHAIN.target,
    "start": "2026-11-27T01:00:00.000000Z",
    "end": "2026-11-27T02:00:00.000000Z",
}
pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in TOOLS), reason=f"not all of these are on PATH: {', '.join(TOOLS)}"
)


def steps() -> list[str]:
    """The commands of each step by hand, those of one block together, with what they print left out."""
    part = GUIDE.split("## Verify by hand")[1].split("\n## ")[0]
    found = []
    for block in re.findall(r"^```\n(.*?)^```", part, re.MULTILINE | re.DOTALL):
        lines = [line for line in block.splitlines() if line.startswith(("$ ", "      "))]
        found.append("\n".join(line.removeprefix("$ ") for line in lines))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with two records, its public key, and a copy of the signed heads."""
    private, public = new_key()
    (tmp_path / "records.key.pub").write_text(public, encoding="ascii")
    store = SqliteStore(tmp_path / "records.db")
    for result, reason in (("passed", None), ("failed", "unreadable")):
        lease = store.lease(CHAIN, "test", 60)
        assert lease is not None
        store.append(lease, {**ABOUT, "result": result, "reason": reason}, {"found": "été", "wrong": []})
    sign_due(store, private, dt.datetime(2026, 11, 28, 1, tzinfo=dt.UTC))
    assert bring_up_to_date(store, {"archive": lambda: to_folder(tmp_path)}) == {}
    store.close()
    return tmp_path


def by_hand(folder: Path) -> list[tuple[int, str]]:
    """Exit code and output of each step."""
    found = []
    for step in steps():
        done = subprocess.run(["bash", "-c", step], cwd=folder, capture_output=True, text=True, check=False)
        found.append((done.returncode, done.stdout))
    return found


def test_what_is_whole_is_found_whole(folder: Path) -> None:
    chain, payload, signature, heads = by_hand(folder)

    first, first_is, second, second_is = chain[1].splitlines()
    assert first.endswith("follows 000000000000")
    assert second.endswith(f"follows {first_is.split()[-1]}")
    assert {len(line.split()[0]) for line in payload[1].splitlines()} == {64}
    assert len({line.split()[0] for line in payload[1].splitlines()}) == 1
    assert signature == (0, "Signature Verified Successfully\n")
    assert heads[1].split() == ["restore", "acme-dump", "2", second_is.split()[-1]]


def test_what_was_changed_is_found_changed(folder: Path) -> None:
    with sqlite3.connect(folder / "records.db") as connection:
        connection.execute("DROP TRIGGER header_stays")
        connection.execute("DROP TRIGGER payload_only_goes")
        connection.execute("UPDATE record SET header = replace(header, '\"passed\"', '\"failed\"') WHERE sequence = 1")
        connection.execute("UPDATE record SET payload = replace(payload, 'found', 'fount') WHERE sequence = 1")
    connection.close()
    document = folder / "2026-11-27.json"
    document.write_text(document.read_text("utf-8").replace('"sequence":2', '"sequence":1'), encoding="utf-8")

    chain, payload, signature, _ = by_hand(folder)

    _, first_is, second, _ = chain[1].splitlines()
    assert not second.endswith(f"follows {first_is.split()[-1]}")
    assert len({line.split()[0] for line in payload[1].splitlines()}) == 2
    assert (signature[0], "Failure" in signature[1]) == (1, True)
