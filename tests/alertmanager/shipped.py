"""The shipped Alertmanager configuration, and how a test may change it: timings, and where the receivers send.

Everything else is what a user gets: there is no copy of it in the tests.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from closewatch.engines.sink import Sink

FOLDER = Path(__file__).parents[2] / "alerting" / "alertmanager"
SECRETS = "/etc/alertmanager/secrets/closewatch/"
TEMPLATES = {f"templates/{path.name}": path.read_text("utf-8") for path in sorted(FOLDER.glob("templates/*.tmpl"))}

Config = dict[str, Any]


def load(name: str = "alertmanager.yml") -> Config:
    """A shipped file, parsed."""
    return dict(yaml.safe_load((FOLDER / name).read_text("utf-8")))


def with_examples(name: str = "alertmanager.yml") -> str:
    """The text of a shipped file with its examples switched on: the lines marked #>."""
    return re.sub(r"^( *)#> ", r"\1", (FOLDER / name).read_text("utf-8"), flags=re.MULTILINE)


def routes(route: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A route and all below it."""
    yield dict(route)
    for child in route.get("routes", ()):
        yield from routes(child)


def merged(tree: Config, fragment: Config) -> Config:
    """Another stack's configuration with the fragment put in as its explanation says."""
    result = copy.deepcopy(tree)
    result["route"]["routes"] = fragment["route"]["routes"] + result["route"].get("routes", [])
    for part in ("inhibit_rules", "receivers", "templates"):
        result[part] = result.get(part, []) + fragment[part]
    return result


def shortened(config: Config, wait: str = "1s") -> Config:
    """The configuration with all waiting cut down; repeats don't come within a test."""
    result = copy.deepcopy(config)
    _shorten(result["route"], wait)
    return result


def _shorten(route: dict[str, Any], wait: str) -> None:
    route.update(group_wait=wait, group_interval=wait, repeat_interval="4h")
    for child in route.get("routes", ()):
        _shorten(child, wait)


def recorded(config: Config, sink: Sink) -> str:
    """The configuration's text with each receiver that sends at all sending to the sink, under its own name."""
    result = copy.deepcopy(config)
    result["receivers"] = [
        {"name": each["name"], "webhook_configs": [{"url": sink.url(each["name"])}]} if len(each) > 1 else each
        for each in result["receivers"]
    ]
    return yaml.safe_dump(result)


def redirected(config: Config, sink: Sink, smtp_port: int, secrets: Path) -> str:
    """The configuration's text with every integration as shipped, but its server on loopback.

    The secrets lie in a folder of the test; a Slack address is itself a secret, so its file leads to the sink.
    """
    result = copy.deepcopy(config)
    for receiver in result["receivers"]:
        for webhook in receiver.get("webhook_configs", ()):
            webhook["url"] = sink.url(f"{receiver['name']}.webhook")
        for email in receiver.get("email_configs", ()):
            email.update(smarthost=f"127.0.0.1:{smtp_port}", require_tls=False)
    text = yaml.safe_dump(result)
    for name in set(re.findall(re.escape(SECRETS) + r"([\w-]+)", text)):
        (secrets / name).write_text(sink.url(name) if name.startswith("slack-") else "a made-up secret", "utf-8")
    return text.replace(SECRETS, f"{secrets}/")
