"""How an Alertmanager is configured, and the examples that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.alertmanager import COLLECTORS
from closewatch.core.problems import ConfigError
from closewatch.core.reasons import Unavailable
from closewatch.core.secrets import Secret
from closewatch.kinds import load
from closewatch.sources import http
from closewatch.sources.alertmanager import Login

ROOT = Path(__file__).parents[3]


def target(tmp_path: Path, **more: Any) -> Any:
    path = tmp_path / "closewatch.yml"
    one = {"kind": "alertmanager", "name": "main", "url": "http://127.0.0.1:9093/", **more}
    path.write_text(yaml.safe_dump({"environment": "test", "records": {"path": "records.db"}, "targets": [one]}))
    return load(path).targets[0]


def test_the_example():
    main, staging = load(ROOT / "docs" / "examples" / "alertmanager.yml").targets
    assert [check.name for check in main.checks()] == ["silences", "told"]
    assert main.checks()[1].reads == {"notification": 5_000}
    assert [check.name for check in staging.checks()] == ["silences"]


def test_without_notifications_nothing_is_said_of_them(tmp_path: Path):
    found = target(tmp_path, notifications=False)
    assert {one.name for one in found.asked(COLLECTORS)} == {"status", "silences"}
    assert len(target(tmp_path).asked(COLLECTORS)) == len(COLLECTORS)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"url": "alertmanager:9093"}, "expected http://HOST:PORT"),
        ({"url": "http://user:secret-of-ours@host"}, "without a login"),
        ({"url": "http://host:99999"}, "Port out of range"),
        ({"url": "http://host/\r\nX: y"}, "expected an address without"),
        ({"url": "http://host/?a=b"}, "expected an address without"),
        ({"url": "ftp://host"}, "expected http://HOST:PORT"),
        ({"user": "a"}, "belong together"),
        ({"user": "a", "password": {"env": "A"}, "token": {"env": "B"}}, "expected either"),
        ({"told_within": 5}, "told_within"),
    ],
)
def test_what_can_not_work_is_refused(tmp_path: Path, more: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words) as caught:
        target(tmp_path, **more)
    assert "secret-of-ours" not in str(caught.value)


def test_the_login_is_read_anew_and_never_breaks_a_header(tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("one-token\n")
    login = Login("https://host/am", token=Secret(file=file))
    place = login.place()
    assert (place.host, place.port, place.prefix, place.authorization) == ("host", 443, "/am", "Bearer one-token")
    assert "one-token" not in repr(place)
    file.write_text("two\r\nX-Other: token")
    with pytest.raises(Unavailable, match="secret"):
        login.place()
    file.unlink()
    with pytest.raises(Unavailable, match="secret"):
        login.place()
    (tmp_path / "password").write_text("word")
    named = Login("http://host", user="u", password=Secret(file=tmp_path / "password")).place()
    assert (named.port, named.tls, named.authorization) == (80, None, "Basic dTp3b3Jk")


def test_an_authority_that_is_none(tmp_path: Path):
    with pytest.raises(Unavailable, match="secret"):
        http.place("https://host", ca=tmp_path / "missing.pem")
