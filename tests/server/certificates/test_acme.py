"""Traefik's acme.json: certificates by resolver and domain, the keys beside them never kept, half-written files."""

from __future__ import annotations

import base64
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from closewatch.sources.certificates.acme import AcmeFile
from closewatch.sources.certificates.source import Places
from tests.server.certificates.authority import CA, DAY
from tests.server.certificates.conftest import rows_of

MIDDLE = CA("Acme, below", CA("Acme"))
LEAF = MIDDLE.issue("odoo.example.com")


def _entry(main: str, certificate: bytes | None = None) -> dict[str, Any]:
    text = base64.b64encode(LEAF.chain_pem if certificate is None else certificate).decode()
    key = base64.b64encode(LEAF.key_pem).decode()
    return {"domain": {"main": main, "sans": ["x"]}, "certificate": text, "key": key, "Store": "default"}


def _document(*entries: Any) -> bytes:
    account = {"Email": "it@example.com", "PrivateKey": "MIIEowIBAAKCAQEA", "KeyType": "4096"}
    return json.dumps(
        {"letsencrypt": {"Account": account, "Certificates": list(entries)}, "new": {}}, indent=2
    ).encode()


def test_each_certificate_is_a_place_by_resolver_and_domain(tmp_path: Path) -> None:
    expired = MIDDLE.issue(end=-DAY / 2)
    entries = [_entry("odoo.example.com"), _entry("old.example.com", expired.pem), _entry("failed.example.com", b"")]
    (tmp_path / "acme.json").write_bytes(_document(*entries, _entry("odd.example.com", b"odd"), "nonsense"))
    found = rows_of(Places(acme=[tmp_path / "acme.json"]))
    assert {name: (row["failure"], row["problems"]) for (_, name), row in found.items()} == {
        "letsencrypt/odoo.example.com": (None, ()),
        "letsencrypt/old.example.com": (None, ("expired",)),
        "letsencrypt/failed.example.com": ("no_certificate", ()),
        "letsencrypt/odd.example.com": ("unknown_kind", ()),
        "letsencrypt/None": ("no_certificate", ()),
    }
    assert found["acme", "letsencrypt/odoo.example.com"]["not_after"] == LEAF.not_after


def test_the_layout_of_traefik_1_has_no_resolvers(tmp_path: Path) -> None:
    (tmp_path / "acme.json").write_text(json.dumps({"Account": {}, "Certificates": [_entry("odoo.example.com")]}))
    assert list(rows_of(Places(acme=[tmp_path / "acme.json"]))) == [("acme", "odoo.example.com")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(_document(_entry("a"))[:300], "truncated", id="cut off"),
        pytest.param(b"not json", "unknown_kind", id="text"),
        pytest.param(b"[1]", "unknown_kind", id="a list"),
        pytest.param(b"{}", "no_certificate", id="no resolvers"),
        pytest.param(_document(), "no_certificate", id="no certificates"),
        pytest.param(b"[" * 100_000, "unknown_kind", id="nested without end"),
        pytest.param(None, "gone", id="gone"),
    ],
)
def test_a_file_that_cannot_be_read_has_its_reason(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "acme.json"
    if content is not None:
        path.write_bytes(content)
    found = rows_of(Places(acme=[path]))
    assert found["acme", str(path)]["failure"] == reason


def test_a_file_that_is_being_written_is_read_again(tmp_path: Path) -> None:
    path, whole = tmp_path / "acme.json", _document(_entry("odoo.example.com"))
    path.write_bytes(whole[:100])
    done = threading.Timer(0.03, path.write_bytes, (whole,))
    done.start()
    found = AcmeFile(path).read()
    done.join()
    assert [(each.name, each.failure) for each in found] == [("letsencrypt/odoo.example.com", None)]


def test_keys_and_accounts_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "acme.json"
    path.write_bytes(_document(_entry("odoo.example.com")))
    reader = AcmeFile(path)
    reader.read()
    kept = repr([vars(reader), *reader.read()])
    assert "MIIEow" not in kept
    assert "it@example.com" not in kept
    assert base64.b64encode(LEAF.key_pem).decode()[:40] not in kept


def test_a_changed_file_is_seen_and_an_unchanged_one_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "acme.json"
    path.write_bytes(_document(_entry("one.example.com")))
    reader = AcmeFile(path)
    first = reader.read()
    assert reader.read() is first
    time.sleep(0.02)
    path.write_bytes(_document(_entry("two.example.com")))
    assert [each.name for each in reader.read()] == ["letsencrypt/two.example.com"]
