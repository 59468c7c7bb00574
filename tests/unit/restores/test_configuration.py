"""Configuration that parses, and that doesn't; nothing of it is shown."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from closewatch.restores.verify import configuration
from closewatch.restores.verify.configuration import check
from closewatch.restores.why import Failed, Why

GOOD = {
    "etc/odoo.conf": "[options]\nadmin_passwd = hunter2\ndb_host = %(x)s\n",
    "a.yaml": "a: &x [1, 2]\nb: *x\nc: !vault |\n  hunter2\n---\nd: !!python/object:os.system x\n",
    "b.json": '{"a": 1}',
    "c.toml": "a = 1\n[b]\nc = 'x'\n",
    "d.ini": "[x]\ny\nz = %\n",
    "e.xml": '<?xml version="1.0"?><odoo><data/></odoo>',
    "f.service": "[Service]\nEnvironment=A=1\nEnvironment=B=2\n",
    "notes.txt": "hello",
}
BAD = {
    "odoo.conf": "[other]\nx = hunter2\n",
    "openerp-server.conf": "no section = hunter2\n",
    "a.yaml": "a: [hunter2\n",
    "b.yml": "a: *nothing\n",
    "c.json": '{"a": hunter2}',
    "d.json": "",
    "e.toml": "a = hunter2\n",
    "f.ini": "hunter2 = x\n",
    "g.xml": "<a>hunter2</b>",
    "h.xml": '<!DOCTYPE a [<!ENTITY b "hunter2">]><a>&b;</a>',
    "i.json": "[" * 100_000,
}


def nothing() -> None:
    """No limit."""


def folder(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def archive(kind: str, source: Path, to: Path) -> Path:
    if kind == "folder":
        return source
    if kind == "zip":
        with zipfile.ZipFile(to, "w") as made:
            for path in source.rglob("*"):
                made.write(path, path.relative_to(source))
    else:
        with tarfile.open(to, kind) as tar:  # type: ignore[call-overload]
            tar.add(source, "backup")
    return to


@pytest.mark.parametrize("kind", ["folder", "zip", "w", "w:gz", "w:xz"])
def test_all_kinds(tmp_path: Path, kind: str) -> None:
    found = check(archive(kind, folder(tmp_path / "in", GOOD), tmp_path / "archive"), nothing)
    assert found.payload == {
        "parsed": {"ini": 2, "json": 1, "odoo": 1, "toml": 1, "xml": 1, "yaml": 1},
        "others": 1,
    }


@pytest.mark.parametrize("name", BAD)
def test_each_fault(tmp_path: Path, name: str) -> None:
    with pytest.raises(Failed) as failed:
        check(folder(tmp_path, {"good.json": "{}", name: BAD[name]}), nothing)
    assert failed.value.why is Why.CONFIGURATION
    assert failed.value.detail.startswith(f"{name}: ")
    assert "hunter2" not in str(failed.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failed, match="no text in UTF-8"):
        check(tmp_path, nothing)


@pytest.mark.parametrize("kind", ["zip", "w:gz"])
def test_a_broken_archive(tmp_path: Path, kind: str) -> None:
    path = archive(kind, folder(tmp_path / "in", {"a.json": "{}", "b.json": "[]" * 0 + "[1]"}), tmp_path / "archive")
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(Failed, match="damaged, cut short"):
        check(path, nothing)


def test_nothing_of_a_known_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.bin").write_text("x")
    (tmp_path / "large.json").write_text("x" * 200)
    (tmp_path / "link.json").symlink_to("/etc/passwd")
    monkeypatch.setattr(configuration, "LARGEST", 100)
    with pytest.raises(Failed, match="no file of configuration"):
        check(tmp_path, nothing)


def test_a_name_is_shown_safely(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("evil\x1b[31m\nname.json", "{")
    with pytest.raises(Failed) as failed:
        check(tmp_path / "a.zip", nothing)
    assert failed.value.detail == "evil?[31m?name.json: is no valid JSON".replace("[", "?")
