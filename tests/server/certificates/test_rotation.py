"""Certificates that change: nothing of the old one stays, links are followed anew, a missed reload is told."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from closewatch.certificates import COLLECTORS
from closewatch.core.deadline import Deadline
from closewatch.core.families import Sample
from closewatch.core.scrape import Scrape
from closewatch.core.targets import Target
from closewatch.sources.certificates import files as certfiles
from closewatch.sources.certificates.places import Endpoint
from closewatch.sources.certificates.source import Certificates, Places
from tests.server.certificates.authority import CA, DAY
from tests.server.certificates.conftest import ask
from tests.server.certificates.servers import says, serving, tls

TARGET = Target.of("certificates", "front", environment="prod", cell="c1")


def _own(samples: list[Sample]) -> dict[tuple[str, tuple[str, ...]], float | None]:
    return {
        (one.family.name.removeprefix("closewatch_certificate_"), one.labels): one.value
        for one in samples
        if one.family.name.startswith("closewatch_certificate_")
    }


def test_a_renewed_certificate_changes_values_and_no_series(tmp_path: Path, middle: CA) -> None:
    path = tmp_path / "it.pem"
    path.write_bytes(middle.issue(end=10 * DAY).pem)
    source = Certificates(Places(files=[path]))
    before = _own(Scrape(TARGET, source, COLLECTORS).run(Deadline.after(10)))
    renewed = middle.issue(end=80 * DAY)
    path.with_suffix(".new").write_bytes(renewed.pem)
    path.with_suffix(".new").rename(path)
    after = _own(Scrape(TARGET, source, COLLECTORS).run(Deadline.after(10)))
    source.close()
    assert set(after) == set(before)
    ends = ("not_after_timestamp_seconds", ("file", str(path)))
    assert after[ends] == renewed.not_after != before[ends]


def test_the_swap_of_a_kubernetes_volume_is_followed(tmp_path: Path, middle: CA) -> None:
    def write(version: str, data: bytes) -> None:
        (tmp_path / version).mkdir()
        (tmp_path / version / "tls.crt").write_bytes(data)
        (tmp_path / "..data_tmp").symlink_to(version)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    first, second = middle.issue(end=10 * DAY), middle.issue(end=80 * DAY)
    write("..2026_01", first.pem)
    (tmp_path / "tls.crt").symlink_to("..data/tls.crt")
    source = Certificates(Places(files=[tmp_path]))
    place = ("file", str(tmp_path / "tls.crt"))
    assert {key: row["not_after"] for key, row in ask(source).items()} == {place: first.not_after}
    write("..2026_02", second.pem)
    assert {key: row["not_after"] for key, row in ask(source).items()} == {place: second.not_after}
    source.close()


def test_a_file_that_goes_leaves_no_series_in_a_folder(tmp_path: Path, middle: CA) -> None:
    (tmp_path / "a.pem").write_bytes(middle.issue().pem)
    (tmp_path / "b.pem").write_bytes(middle.issue().pem)
    source = Certificates(Places(files=[tmp_path]))
    assert len(ask(source)) == 2
    (tmp_path / "b.pem").unlink()
    assert list(ask(source)) == [("file", str(tmp_path / "a.pem"))]
    source.close()


def test_renewed_but_not_reloaded_is_told_with_its_time(tmp_path: Path, root: CA, middle: CA) -> None:
    old, new = middle.issue(end=10 * DAY), middle.issue(end=80 * DAY)
    stored = tmp_path / "it.pem"
    stored.write_bytes(old.chain_pem)
    (tmp_path / "root.pem").write_bytes(root.pem)
    memory: dict[str, object] = {}
    reload = next(one for one in COLLECTORS if one.name == "reload")

    def read(source: Certificates) -> dict[tuple[str, tuple[str, ...]], float | None]:
        (answer,) = source.ask([reload], Deadline.after(10)).outcomes["reload"].answers
        return _own(list(reload.read(answer, TARGET, memory)))

    place = ("endpoint", "it")
    with serving(tls(old)) as server:
        endpoint = Endpoint("it", server.address, ("localhost",), "tls", stored)
        source = Certificates(Places(endpoints=[endpoint], trust=[tmp_path / "root.pem"]))
        assert read(source) == {("served_is_stored", place): 1}
        stored.write_bytes(new.chain_pem)
        os.utime(stored, (1_700_000_000, 1_700_000_000))
        differs = {("served_is_stored", place): 0, ("stored_timestamp_seconds", place): 1_700_000_000}
        assert read(source) == differs
        stored.write_bytes(new.chain_pem)  # the same once more: it still waits since then
        assert read(source) == differs
        stored.unlink()
        assert read(source) == {}
        assert ask(source)["stored", "it"]["failure"] == "gone"
        source.close()
    with serving(tls(new)) as server:
        stored.write_bytes(new.chain_pem)
        source = Certificates(Places(endpoints=[Endpoint("it", server.address, ("localhost",), "tls", stored)]))
        assert read(source) == {("served_is_stored", place): 1}
        source.close()


def test_5000_files_are_read_once_and_then_only_looked_at(
    tmp_path: Path, middle: CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The times are the bench's to measure; here it is shown that an unchanged file is not opened again."""
    data = middle.issue().chain_pem
    for number in range(5_000):
        (tmp_path / f"{number:04}.pem").write_bytes(data)
    source = Certificates(Places(files=[tmp_path]))
    assert len(ask(source, 60)) == 5_000
    opened: list[str] = []
    real = certfiles.read_file
    monkeypatch.setattr(certfiles, "read_file", lambda path, password: opened.append(path) or real(path, password))
    (tmp_path / "0042.pem").write_bytes(middle.issue(end=5 * DAY).pem)
    assert len(ask(source, 60)) == 5_000
    assert opened == [str(tmp_path / "0042.pem")]
    samples = Scrape(TARGET, source, COLLECTORS).run(Deadline.after(60))
    source.close()
    shown = [one for one in samples if one.family.name == "closewatch_certificate_not_after_timestamp_seconds"]
    assert len(shown) == 1_000
    assert shown[0].labels == ("file", str(tmp_path / "0042.pem"))  # the soonest first
    assert _own(samples)["omitted_places", ()] == 4_000


def test_a_hung_endpoint_keeps_nobody_waiting_beyond_the_deadline(root: CA, middle: CA, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(root.pem)
    with serving(says(b"")) as hung, serving(tls(middle.issue())) as good:
        endpoints = [Endpoint(f"hung-{n}", hung.address, ("localhost",)) for n in range(80)]
        endpoints.append(Endpoint("good", good.address, ("localhost",)))
        source = Certificates(Places(endpoints=endpoints, trust=[tmp_path / "root.pem"]))
        began = time.monotonic()
        ask(source, 3.0)
        assert time.monotonic() - began < 3.0  # the promise itself, not a measurement
        found = ask(source, 3.0)
        source.close()
    assert found["endpoint", "good"]["verified"] is True  # those that hung before come behind it
    assert {row["failure"] for key, row in found.items() if key[1] != "good"} <= {"timeout", "not_reached"}
