"""A place is one of three kinds; what is wrong in a configuration is said so that it can be put right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.core.problems import ConfigError
from closewatch.kinds import load


def said(tmp_path: Path, **place: Any) -> str:
    target = {"kind": "backups", "name": "acme", **place}
    (tmp_path / "c.yml").write_text(yaml.safe_dump({"environment": "test", "targets": [target]}))
    with pytest.raises(ConfigError) as problems:
        load(tmp_path / "c.yml")
    return str(problems.value)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({}, "velero or cloudnativepg; here is none"),
        ({"folder": {"path": "/b"}, "s3": {"bucket": "b"}}, "here are folder and s3. Two places are two targets"),
        ({"folder": {"path": "/b", "pattern": "/x"}}, "is not a pattern of names below the place"),
        ({"folder": {"path": "/b", "pattern": "**/*.dump"}}, "** is not known"),
        ({"folder": {"path": "/b", "settle": 0}}, "expected 1.0 or more"),
        ({"folder": {}}, "this key is required"),
        ({"folder": {"path": "/b", "content": "any"}}, "allowed: inspect, opaque"),
        ({"s3": {"bucket": "b", "access_key": "k"}}, "access_key and secret_key belong together"),
        ({"s3": {"bucket": "b", "session_token": {"env": "T"}}}, "session_token belongs to an access_key"),
        ({"s3": {"bucket": "b", "secret_key": "plain"}}, "a secret itself is never written here"),
        ({"s3": {"bucket": "b", "endpoint": "s3.example.net"}}, "is not an address such as https://"),
        ({"s3": {"bucket": "b", "endpoint": "https://u:hidden@s3.example.net"}}, "is not an address such as https://"),
        ({"s3": {"bucket": "b/c"}}, "expected text that matches"),
        ({"pgbackrest": {"stanza": "--config=x"}}, "is not the name of a stanza"),
        ({"pgbackrest": {"stanza": "main", "repo": 0}}, "expected 1 or more"),
        ({"pgbackrest": {"stanza": "main", "command": []}}, "expected 1 or more entries"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, place: dict[str, Any], words: str):
    message = said(tmp_path, **place)
    assert words in message
    assert "hidden" not in message


def test_three_places(tmp_path: Path):
    targets = [
        {"kind": "backups", "name": "a", "tenant": "acme", "cell": "pg-07", "folder": {"path": "dumps"}},
        {"kind": "backups", "name": "b", "s3": {"bucket": "b", "endpoint": "https://s3.example.net:9000/"}},
        {"kind": "backups", "name": "c", "pgbackrest": {"stanza": "main", "command": ["sudo", "-n", "pgbackrest"]}},
    ]
    (tmp_path / "c.yml").write_text(yaml.safe_dump({"environment": "test", "targets": targets}))
    folder, bucket, stanza = load(tmp_path / "c.yml").targets
    assert folder.folder.path == tmp_path / "dumps"
    assert bucket.s3.path_style
    for target in (folder, bucket, stanza):
        target.source(None).close()
