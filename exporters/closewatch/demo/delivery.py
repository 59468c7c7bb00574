"""The shipped Alertmanager configuration, with its receivers on loopback and its waiting cut short.

Routes, grouping, inhibition and templates stay as they are: what the demo shows is what a user gets. Each receiver
that sends at all also reports to a recorder, because a rendered message no longer says which alert it was.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from closewatch.engines.mail import MailSink
from closewatch.engines.sink import Sink

RECORDER = "recorder/"
SLACK = "slack/"
_SLACK_LINK = re.compile(r"<([^|>]+)\|([^>]+)>(?: · )?")
GROUP_WAIT = "3s"
"""Longer than two rule evaluations, as in the original: a cause must be there before its symptom is sent."""
GROUP_INTERVAL = "5s"


@dataclass(frozen=True, slots=True)
class Message:
    """What a person gets to read."""

    at: float
    receiver: str
    title: str
    text: str


def alertmanager_config(shipped: str, sink: Sink, mail: MailSink, secrets: Path) -> str:
    """The configuration to run; `secrets` is the folder into which the files with its secrets are written."""
    config = copy.deepcopy(yaml.safe_load(shipped))
    _hurry(config["route"])
    for receiver in config["receivers"]:
        name = receiver["name"]
        if len(receiver) == 1:
            continue  # tells nobody, on purpose
        for webhook in receiver.get("webhook_configs", ()):
            webhook["url"] = sink.url(f"webhook/{name}")
        for slack in receiver.get("slack_configs", ()):
            slack["api_url_file"] = _secret(secrets, f"slack-{name}", sink.url(SLACK + name))
        for email in receiver.get("email_configs", ()):
            email.update(smarthost=f"127.0.0.1:{mail.port}", require_tls=False)
            email["headers"] = {**email.get("headers", {}), "X-Receiver": name}
        recorder = {"url": sink.url(RECORDER + name), "send_resolved": True, "max_alerts": 0}
        receiver["webhook_configs"] = [*receiver.get("webhook_configs", ()), recorder]
    _replace_secret_files(config, secrets)
    return yaml.safe_dump(config, sort_keys=False, width=1000)


def messages(sink: Sink, mail: MailSink, since: float = 0.0) -> list[Message]:
    """What people were sent, as they read it, oldest first."""
    found = []
    for each in sink.notifications(since=since):
        if each.channel.startswith(SLACK):
            attachment: Mapping[str, Any] = (each.body.get("attachments") or [{}])[0]
            receiver = each.channel.removeprefix(SLACK)
            text = _SLACK_LINK.sub(r"\2: \1\n", str(attachment.get("text", ""))).strip()
            found.append(Message(each.at, receiver, str(attachment.get("title", "")), text))
    for letter in mail.mails(since):
        receiver = str(letter.message["X-Receiver"] or "")
        found.append(Message(letter.at, receiver, letter.subject, letter.text))
    return sorted(found, key=lambda message: message.at)


def _hurry(route: dict[str, Any]) -> None:
    route.update(group_wait=GROUP_WAIT, group_interval=GROUP_INTERVAL)
    for child in route.get("routes", ()):
        _hurry(child)


def _replace_secret_files(part: Any, secrets: Path) -> None:
    """Let every `*_file` setting name a file of ours; what is in it opens nothing."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key.endswith("_file") and isinstance(value, str) and not value.startswith(str(secrets)):
                part[key] = _secret(secrets, Path(value).name, "not-a-secret")
            else:
                _replace_secret_files(value, secrets)
    elif isinstance(part, list):
        for item in part:
            _replace_secret_files(item, secrets)


def _secret(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)
