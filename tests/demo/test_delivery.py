"""The demo's Alertmanager is the shipped one: only its waiting and its addresses differ."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.demo import shipped
from closewatch.demo.delivery import GROUP_INTERVAL, GROUP_WAIT, RECORDER, alertmanager_config
from closewatch.engines.mail import MailSink
from closewatch.engines.sink import Sink


@pytest.fixture
def configs(tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The shipped configuration, the demo's, and the demo's as text."""
    with Sink() as sink, MailSink() as mail:
        text = alertmanager_config(shipped.alertmanager_config(), sink, mail, tmp_path)
    return yaml.safe_load(shipped.alertmanager_config()), yaml.safe_load(text), text


def without_waiting(route: dict[str, Any]) -> dict[str, Any]:
    """A route and those below it, less the two settings that the demo changes."""
    kept = {key: value for key, value in copy.deepcopy(route).items() if key not in ("group_wait", "group_interval")}
    kept["routes"] = [without_waiting(child) for child in route.get("routes", ())]
    return kept


def test_routes_and_inhibition_are_the_shipped_ones(configs):
    original, changed, _ = configs
    assert without_waiting(changed["route"]) == without_waiting(original["route"])
    assert (changed["route"]["group_wait"], changed["route"]["group_interval"]) == (GROUP_WAIT, GROUP_INTERVAL)
    assert changed["inhibit_rules"] == original["inhibit_rules"]
    assert changed["templates"] == original["templates"]


def test_messages_are_the_shipped_ones(configs):
    """The same integrations with the same templates."""
    original, changed, _ = configs
    for before, after in zip(original["receivers"], changed["receivers"], strict=True):
        assert after["name"] == before["name"]
        for slack, other in zip(before.get("slack_configs", ()), after.get("slack_configs", ()), strict=True):
            assert other == {**slack, "api_url_file": other["api_url_file"]}
        for email, other in zip(before.get("email_configs", ()), after.get("email_configs", ()), strict=True):
            assert (other["html"], other["text"], other["to"]) == (email["html"], email["text"], email["to"])


def test_every_receiver_that_tells_someone_tells_the_recorder(configs):
    _, changed, _ = configs
    for receiver in changed["receivers"]:
        urls = [webhook["url"] for webhook in receiver.get("webhook_configs", ())]
        recorded = any(url.endswith(f"/{RECORDER}{receiver['name']}") for url in urls)
        assert recorded == (receiver["name"] != "closewatch-observe")


def test_nothing_leaves_the_machine(configs):
    _, _, text = configs
    assert "https://" not in text
    assert "mail.example.com" not in text
    assert "/etc/" not in text
