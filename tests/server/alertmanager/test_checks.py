"""A real Alertmanager: what it sends is recorded, what is silenced is seen, what reached nobody is told."""

from __future__ import annotations

import datetime as dt
import json
import time
import urllib.request
from collections.abc import Callable

import pytest
import yaml

from closewatch.alertmanager.silences import Silences
from closewatch.core.checks import Task
from closewatch.core.config import Config
from closewatch.core.deadline import Deadline
from closewatch.core.records import Record
from closewatch.core.records.sqlite import SqliteStore
from closewatch.engines import http
from closewatch.engines.alertmanager import AlertmanagerServer
from closewatch.engines.folder import free_port
from closewatch.engines.process import wait_until
from closewatch.registry import Registry
from closewatch.sources.alertmanager import Alertmanager, Login
from closewatch.work import Worker, jobs_of
from tests.alertmanager import shipped
from tests.alertmanager.posting import post, resolve
from tests.fixtures.watch import Facts
from tests.server.alertmanager.conftest import NOTIFICATIONS

DOWN = {
    "alertname": "PostgresqlDown", "severity": "critical", "audience": "platform", "domain": "availability",
    "environment": "production", "tenant": "acme",
}  # fmt: skip
CACHE = {**DOWN, "alertname": "RedisDown"}
QUEUE = {**DOWN, "alertname": "OdooQueueStalled"}
SENT = 'alertmanager_notifications_total{integration="webhook"'
HIDING = [{"source_matchers": ['alertname="PostgresqlDown"'], "target_matchers": ['alertname="OdooQueueStalled"']}]


@pytest.fixture
def sending(alertmanager: Callable[..., AlertmanagerServer]) -> Callable[[int], AlertmanagerServer]:
    """Starts an Alertmanager with the route and the receiver that are shipped, towards a port of ours."""

    def make(port: int) -> AlertmanagerServer:
        tree = {"route": {"receiver": "nobody", "routes": []}, "receivers": [{"name": "nobody"}]}
        config = shipped.merged(
            tree, {"inhibit_rules": HIDING, "templates": [], **shipped.load("records-fragment.yml")}
        )
        config = shipped.shortened(config)
        text = yaml.safe_dump(config).replace("127.0.0.1:10188", f"127.0.0.1:{port}")
        assert f":{port}/notifications/main" in text
        return alertmanager(text)

    return make


def run(config: Config, store: SqliteStore, name: str) -> Record:
    registry = Registry(config)
    (job,) = [one for one in jobs_of(registry) if one.check.name == name]
    record = Worker(config, store).run(job)
    registry.close()
    assert record is not None
    return record


def scrape(config: Config) -> Facts:
    registry = Registry(config)
    (found,) = registry.find("main", "alertmanager")
    facts = Facts(found.run(Deadline.after(9)))
    registry.close()
    return facts


def ago(minutes: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)


def silence(server: AlertmanagerServer, **matched: str) -> str:
    matchers = [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in matched.items()]
    now = dt.datetime.now(dt.UTC)
    times = {"startsAt": now.isoformat(), "endsAt": (now + dt.timedelta(hours=1)).isoformat()}
    body = {"matchers": matchers, **times, "createdBy": "somebody", "comment": "a repair"}
    return str(json.loads(http.post(f"{server.url}/api/v2/silences", body))["silenceID"])


def end_silence(server: AlertmanagerServer, name: str) -> None:
    request = urllib.request.Request(f"{server.url}/api/v2/silence/{name}", method="DELETE")
    with urllib.request.urlopen(request, timeout=10):
        pass


def recorded(store: SqliteStore, count: int = 1) -> list[Record]:
    wait_until(lambda: len(store.newest(NOTIFICATIONS, 99)) >= count, 40, f"{count} notifications")
    return list(store.newest(NOTIFICATIONS, 99))


def test_what_is_sent_is_recorded_and_counts_as_told(configured, receive, store, sending):
    port = free_port()
    server = sending(port)
    config = configured(server.url)
    receive(config, port)
    post(server, [DOWN], starts=ago(20))
    newest = recorded(store)[0]
    (alert,) = newest.payload["alerts"]
    assert (newest.payload["receiver"], alert["alertname"], alert["status"]) == (
        "closewatch-records", "PostgresqlDown", "firing",
    )  # fmt: skip
    verdict = run(config, store, "told")
    assert (verdict.result, verdict.payload["firing"], verdict.payload["due"]) == ("passed", 1, [])
    facts = scrape(config)
    assert facts.up
    assert facts.failing == {}
    assert facts.all("alertmanager_critical_untold_since_timestamp_seconds") == []
    assert facts.one("alertmanager_notifications_recorded_timestamp_seconds") == newest.end
    assert facts.labels("alertmanager_info", "cluster") == ["disabled"]
    assert facts.one("check_passed", check="told") == 1
    # It ends: that is told, and kept, too.
    resolve(server, [DOWN])
    wait_until(lambda: store.newest(NOTIFICATIONS)[0].payload["status"] == "resolved", 40, "the end")


def test_a_storm_is_kept_once_each_and_all_of_it_counts_as_told(configured, receive, store, sending):
    """One fault that each tenant has, which no outage hides: more at once than the receiver has connections."""
    port = free_port()
    server = sending(port)
    config = configured(server.url)
    receive(config, port)
    tenants = {f"t{number}" for number in range(600)}
    post(server, [{**DOWN, "domain": "recoverability", "tenant": tenant} for tenant in tenants], starts=ago(20))

    def kept() -> list[str]:
        return [one["tenant"] for record in store.newest(NOTIFICATIONS, 9_999) for one in record.payload["alerts"]]

    wait_until(lambda: set(kept()) == tenants, 90, "a notification for each tenant")
    wait_until(lambda: _counted(server, SENT) >= len(tenants), 60, "the end of all attempts")
    assert sorted(kept()) == sorted(tenants)
    verdict = run(config, store, "told")
    assert (verdict.result, len(verdict.payload["told"]), verdict.payload["due"]) == ("passed", 600, [])


def test_alerts_of_others_that_do_not_come_here_are_not_judged(configured, receive, store, sending):
    port = free_port()
    server = sending(port)
    config = configured(server.url)
    receive(config, port)
    others = {"alertname": "KubePodCrashLooping", "severity": "critical", "namespace": "shop"}
    post(server, [DOWN, others, {**others, "audience": "dba"}], starts=ago(20))
    recorded(store)
    wait_until(lambda: len(server.alerts()) == 3, 30, "the alerts")
    verdict = run(config, store, "told")
    assert (verdict.result, verdict.payload["firing"]) == ("passed", 1)


def test_what_was_told_before_a_silence_is_told_after_it(configured, receive, store, sending, monkeypatch):
    monkeypatch.setattr("closewatch.alertmanager.told.NOTIFICATIONS", 1)
    port = free_port()
    server = sending(port)
    config = configured(server.url)
    receive(config, port)
    post(server, [DOWN], starts=ago(20))
    recorded(store)
    assert run(config, store, "told").payload["told"]
    name = silence(server, alertname="PostgresqlDown")
    wait_until(lambda: any(one["status"]["silencedBy"] for one in server.alerts()), 30, "the silence")
    verdict = run(config, store, "told")
    assert (verdict.payload["firing"], len(verdict.payload["told"])) == (0, 1)
    post(server, [CACHE | {"tenant": "bolt"}])
    recorded(store, 2)  # what the check looks through holds the first no more
    end_silence(server, name)
    wait_until(lambda: not any(one["status"]["silencedBy"] for one in server.alerts()), 30, "its end")
    verdict = run(config, store, "told")
    assert (verdict.payload["notifications"], verdict.payload["firing"], verdict.payload["due"]) == (1, 2, [])


def test_with_the_receiver_down_nobody_was_told_until_the_retry_arrives(configured, receive, store, sending):
    port = free_port()
    server = sending(port)
    config = configured(server.url)
    post(server, [DOWN, {**CACHE, "closewatch_mode": "observe"}], starts=ago(20))
    wait_until(lambda: len(server.alerts()) == 2, 30, "the alerts")
    verdict = run(config, store, "told")
    assert (verdict.result, verdict.reason, verdict.payload["untold_total"]) == ("failed", "critical_untold", 1)
    facts = scrape(config)
    since = facts.one("alertmanager_critical_untold_since_timestamp_seconds", alert="PostgresqlDown")
    assert since == pytest.approx(ago(20).timestamp(), abs=60)
    receive(config, port)
    recorded(store)
    assert run(config, store, "told").result == "passed"
    assert scrape(config).all("alertmanager_critical_untold_since_timestamp_seconds") == []


def test_what_is_young_or_inhibited_or_silenced_is_not_due_yet(configured, store, sending):
    server = sending(free_port())
    config = configured(server.url)
    silence(server, alertname="RedisDown")
    post(server, [CACHE, QUEUE], starts=ago(600))
    post(server, [DOWN], starts=ago(1))
    wait_until(lambda: len(server.alerts()) == 3, 30, "the alerts")
    states = {"silencedBy": "the silence", "inhibitedBy": "the inhibition"}
    for state, words in states.items():
        wait_until(lambda state=state: any(one["status"][state] for one in server.alerts()), 30, words)
    verdict = run(config, store, "told")
    assert (verdict.result, verdict.payload["firing"]) == ("passed", 1)
    assert [one["alertname"] for one in verdict.payload["due"]] == ["PostgresqlDown"]


def test_a_store_that_can_not_be_written_and_the_retry_that_delivers(configured, receive, sending, tmp_path):
    port = free_port()
    server = sending(port)
    config = configured(server.url, records="later/records.db")
    receive(config, port)
    post(server, [DOWN])
    failed = 'alertmanager_notification_requests_failed_total{integration="webhook"'
    wait_until(lambda: _counted(server, failed) > 0, 40, "a refused notification")
    (tmp_path / "later").mkdir()
    opened = config.records.store(read_only=False)
    try:
        assert recorded(opened)[0].payload["alerts"][0]["alertname"] == "PostgresqlDown"
    finally:
        opened.close()


def _counted(server: AlertmanagerServer, name: str) -> float:
    lines = http.get(f"{server.url}/metrics").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_what_a_silence_hides_and_since_when(configured, store, sending):
    server = sending(free_port())
    config = configured(server.url)
    post(server, [DOWN], starts=ago(600))
    before = time.time()
    first = silence(server, tenant="acme")
    wait_until(lambda: any(one["status"]["silencedBy"] for one in server.alerts()), 30, "the silence")
    verdict = run(config, store, "silences")
    assert (verdict.result, verdict.payload["totals"]) == ("passed", {"active": 1, "pending": 0})
    (kept,) = verdict.payload["silences"]
    assert (kept["id"], kept["matchers"], kept["comment_length"]) == (first, 'tenant="acme"', 8)
    facts = scrape(config)
    since = facts.one("alertmanager_critical_silenced_since_timestamp_seconds", alert="PostgresqlDown")
    assert since == pytest.approx(before, abs=60)
    assert facts.one("alertmanager_silences", state="active") == 1
    # It is ended and made anew: hidden since the first began.
    end_silence(server, first)
    second = silence(server, alertname="PostgresqlDown")
    wait_until(lambda: any(one["status"]["silencedBy"] == [second] for one in server.alerts()), 30, "the silence")
    verdict = run(config, store, "silences")
    assert verdict.payload["hidden"][0]["silences"] == [second]
    assert scrape(config).one("alertmanager_critical_silenced_since_timestamp_seconds", alert="PostgresqlDown") == since


def test_silenced_for_longer_than_the_limit(configured, store, sending):
    server = sending(free_port())
    post(server, [DOWN], starts=ago(600))
    silence(server, tenant="acme")
    wait_until(lambda: any(one["status"]["silencedBy"] for one in server.alerts()), 30, "the silence")
    (target,) = Registry(configured(server.url)).scrapes()
    task = Task(target.target, [], Deadline.after(10))
    verdict = Silences(Alertmanager(Login(server.url)), 0.001, 900).run(task)
    assert (verdict.result, verdict.reason) == ("failed", "critical_silenced")


def test_an_alertmanager_that_is_gone(configured, store):
    config = configured(f"http://127.0.0.1:{free_port()}")
    verdict = run(config, store, "told")
    assert (verdict.result, verdict.reason) == ("unknown", "refused")
    facts = scrape(config)
    assert facts.reason == "refused"
    assert facts.labels("check_failure_info", "reason") == ["refused"]


def test_one_that_ends_in_the_middle_and_one_that_hangs(sending, tcp_proxy):
    server = sending(free_port())
    proxy = tcp_proxy("127.0.0.1", server.port)
    source = Alertmanager(Login(f"http://127.0.0.1:{proxy.port}"))
    assert source.critical(Deadline.after(10)) == []
    proxy.stop_answer_after(40)
    assert source.ask((), Deadline.after(10)).down.reason == "connection_lost"
    proxy.stop_answer_after(None)
    proxy.pause()
    began = time.monotonic()
    assert source.ask((), Deadline.after(1)).down.reason == "timeout"
    assert time.monotonic() - began < 3
