"""What people read: messages as a real Alertmanager sends them, kept as text files in `golden`.

CLOSEWATCH_UPDATE_GOLDEN=1 writes the files anew: look at them as if the phone had woken you.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.engines.process import wait_until
from tests.alertmanager import shipped
from tests.alertmanager.posting import post
from tests.alertmanager.smtp import MailSink

GOLDEN = Path(__file__).parent / "golden"
# An alert that began long ago is sent at once, without the others of its group: so these begin in the future.
STARTS = datetime(2031, 1, 2, 2, 14, tzinfo=UTC)
ENDS = datetime(2031, 1, 3, tzinfo=UTC)
BOOKS = "https://docs.closewatch.example"

Labels = dict[str, str]


def alert(name: str, layer: str, severity: str, **labels: str) -> Labels:
    standard = {"domain": "availability", "audience": "platform", "environment": "production", "cell": "pg-07"}
    merged = {"alertname": name, "layer": layer, "severity": severity, **standard, **labels}
    return {label: value for label, value in merged.items() if value}


def texts(name: str, summary: str, description: str, impact: str, query: str = "") -> Labels:
    return {
        "summary": summary,
        "description": description,
        "impact": impact,
        "runbook_url": f"{BOOKS}/runbooks/{name}",
        "dashboard_url": f"{BOOKS}/grafana/d/closewatch-overview{query}",
    }


DOWN = (
    alert("PostgresqlDown", "database", "critical", cause="true", target="pg-07"),
    texts(
        "PostgresqlDown",
        "PostgreSQL server is down.",
        "No exporter can use the primary of pg-07 (refused).",
        "No tenant on pg-07 can work in Odoo: no invoicing, no payment run, no payroll, no closing.",
        "?var-environment=production&var-target=pg-07",
    ),
)
ARCHIVE = (
    alert("PostgresqlWalArchiveFailing", "database", "critical", domain="recoverability", target="pg-07"),
    texts(
        "PostgresqlWalArchiveFailing",
        "WAL does not leave the server.",
        "The oldest segment has waited for 1h 12m (limit 1h).",
        "A restore would lose the bookings of that time.",
    ),
)
FAILED = (
    alert("OdooQueueJobsFailed", "application", "warning", audience="service", tenant="acme", target="acme"),
    texts(
        "OdooQueueJobsFailed",
        "Background jobs fail.",
        "34 jobs have failed in the last hour (limit 10), most of them account.move: AccessError.",
        "Invoices may not have been sent, and bank files not imported.",
        "?var-environment=production&var-tenant=acme&var-target=acme",
    ),
)
CELL = (
    alert("OdooQueueStalled", "application", "critical"),
    texts(
        "OdooQueueStalled",
        "Background jobs wait in most databases.",
        "In 14 of 20 databases the oldest runnable job waits longer than 1h.",
        "Invoices are not sent, payments not matched, reports not made.",
    ),
)
EXPORTER = (
    alert("ClosewatchExporterDown", "platform", "critical", environment="", cell=""),
    texts(
        "ClosewatchExporterDown",
        "closewatch is down.",
        "No exporter of job closewatch answers.",
        "Nobody watches the books: a fault in Odoo or PostgreSQL would not be noticed.",
    ),
)
BARE = (alert("SomethingNew", "application", "", audience="", domain="", target="acme"), {})
HOSTILE_NAME = (
    "a</p><script>alert(1)</script>\"' <!channel> <https://evil.example|Runbook>\nRESOLVED {{ .x }} \u202eevil"
)
HOSTILE = (
    alert("PostgresqlSlotRetainsWal", "database", "critical", target=HOSTILE_NAME, audience="service", slot="x" * 5000),
    texts(
        "PostgresqlSlotRetainsWal",
        f"A slot of {HOSTILE_NAME} keeps WAL.",
        "Slot " + "x" * 5000 + " keeps 60 GiB.",
        'Impact with <b>markup</b> & "quotes".',
        "?var-target=<x>|y>&z=javascript:alert(1)",
    )
    | {"runbook_url": 'javascript:alert("1")'},
)
MANY = [
    (alert("OdooCronLate", "application", "warning", tenant="acme", target=f"acme-{number:02}"), FAILED[1])
    for number in range(15)
]

# Scenario: what fires, in this order.
SCENARIOS: dict[str, list[tuple[Labels, Labels]]] = {
    "shared_database_down": [DOWN, ARCHIVE],
    "tenant_warning": [FAILED],
    "whole_cell": [CELL],
    "closewatch_itself": [EXPORTER],
    "without_labels_and_texts": [BARE],
    "hostile_names": [HOSTILE],
    "many_alerts": MANY,
}


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as server:
        yield server


@pytest.fixture
def messages(alertmanager, sink, mail, tmp_path) -> Callable[..., str]:
    """Posts alerts to an Alertmanager with the shipped receivers; gives all that it sent, as text."""
    config = shipped.redirected(shipped.shortened(shipped.load()), sink, mail.port, tmp_path)
    server = alertmanager(config, shipped.TEMPLATES)

    def send(alerts: list[tuple[Labels, Labels]], slack: int, mails: int, **times: datetime) -> str:
        before = len(chat()), len(mail.mails)
        for labels, words in alerts:
            post(server, [labels], words, **({"starts": STARTS, "ends": ENDS} | times))
        wait_until(
            lambda: len(chat()) >= before[0] + slack and len(mail.mails) >= before[1] + mails, 30, "all messages"
        )
        parts = [*map(slack_text, chat()[before[0] :]), *map(mail_text, mail.mails[before[1] :])]
        own_address = rf"http://[\w.-]+:{server.port}(?=/)"
        return re.sub(own_address, "https://alertmanager.example.com", "\n".join(sorted(parts)).replace("\r", ""))

    def chat() -> list[tuple[str, dict[str, Any]]]:
        return [(each.channel, each.body) for each in sink.notifications() if each.channel.startswith("slack-")]

    return send


def slack_text(message: tuple[str, dict[str, Any]]) -> str:
    channel, body = message
    [shown] = body["attachments"]
    lines = [f"=== {channel}", f"colour    {shown['color']}", f"push      {shown['fallback']}"]
    return "\n".join([*lines, f"title     {shown['title']}", f"leads to  {shown['title_link']}", "", shown["text"], ""])


def mail_text(message: tuple[list[str], Any]) -> str:
    to, content = message
    plain, html = (content.get_body([kind]).get_content() for kind in ("plain", "html"))
    body = f"=== mail to {', '.join(to)}\nSubject: {content['Subject']}\n\n{plain.rstrip()}\n"
    return f"{body}\n--- as HTML\n{html.rstrip()}\n"


def compare(name: str, found: str) -> None:
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("CLOSEWATCH_UPDATE_GOLDEN"):
        file.write_text(found, "utf-8")
    assert found == file.read_text("utf-8")


def expected_messages(alerts: list[tuple[Labels, Labels]]) -> dict[str, int]:
    """How many messages of each kind a scenario makes: the routes' own test says why."""
    labels = alerts[0][0]
    critical = labels.get("severity") == "critical"
    owner = labels.get("audience") == "service" or (critical and labels.get("cause") == "true")
    return {"slack": int(critical or not owner), "mails": int(owner)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_message_reads(messages, name):
    compare(name, messages(SCENARIOS[name], **expected_messages(SCENARIOS[name])))


def test_the_end_says_so(messages):
    """One that began and ended long ago, so that its times are known."""
    began, ended = datetime(2026, 1, 31, 22, 14, tzinfo=UTC), datetime(2026, 1, 31, 22, 26, 40, tzinfo=UTC)
    messages([DOWN], slack=1, mails=1, starts=began)
    compare("resolved", messages([DOWN], slack=1, mails=1, starts=began, ends=ended))


class _Tags(HTMLParser):
    """The tags and the attributes' values of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert all(name in {"lang", "charset", "name", "content", "style", "href"} for name, _ in attrs), attrs


def test_hostile_names_change_neither_the_page_nor_the_chat(messages):
    sent = messages([HOSTILE], slack=1, mails=1)
    chat, mail = sent[sent.index("=== slack-") :], sent[: sent.index("=== slack-")]
    tags = _Tags()
    tags.feed(mail.partition("--- as HTML")[2])
    assert tags.tags <= {"html", "head", "meta", "title", "body", "div", "p", "a", "ul", "li"}
    assert tags.links
    assert all(link.startswith("https://") for link in tags.links)
    targets = re.findall(r"<([^|>]*)\|(\w+)>", chat)
    assert [text for _, text in targets] == ["Dashboard", "Silence"]
    assert all(address.startswith("https://") for address, _ in targets)
    assert "<!" not in chat.replace("<!channel|", "")
    assert "\u202e" not in sent
    assert "\nRESOLVED" not in sent
    assert max(map(len, sent.splitlines())) < 1200


def test_a_tenants_name_cannot_add_a_recipient(messages, mail):
    labels, annotations = FAILED
    messages([(labels | {"tenant": 'x@evil.example, "y" <z@evil.example>' + "z" * 200}, annotations)], slack=0, mails=1)
    [(to, _)] = mail.mails
    assert len(to) == 1
    assert re.fullmatch(r"finance-owner\+[\w-]{1,40}@example\.com", to[0])


def test_the_lines_that_find_the_lead_are_the_same_everywhere():
    found = re.findall(
        r"^\{\{- \$from := .*?^\{\{- end -\}\}$", "\n".join(shipped.TEMPLATES.values()), re.MULTILINE | re.DOTALL
    )
    assert len(found) == 5
    assert len(set(found)) == 1


def test_templates_use_no_function_that_the_oldest_alertmanager_lacks():
    """The floor is 0.25; a newer one would accept more, so the words are looked at."""
    newer = r"\b(?:date|tz|since|humanizeDuration|toJson|trimSpace|now|urlUnescape|list|append|dict)\b(?! *:)"
    for name, text in shipped.TEMPLATES.items():
        actions = re.findall(r"\{\{(?!/\*)(.*?)\}\}", text, re.DOTALL)
        words = [word for action in actions for word in re.findall(newer, re.sub(r'"[^"]*"', "", action))]
        assert not words, name


def test_the_rules_summaries_leave_room_for_whom_it_hits():
    """A phone's notification shows some 90 characters of a title."""
    files = (shipped.FOLDER.parent / "rules").glob("*.yml")
    groups = [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    summaries = [rule["annotations"]["summary"] for group in groups for rule in group["rules"] if "alert" in rule]
    assert summaries
    assert [summary for summary in summaries if len(summary) > 55] == []
