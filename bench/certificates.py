"""What is seen of broken endpoints by closewatch and by blackbox_exporter, in the same run; and 5,000 files.

Each endpoint is a server on loopback that is broken in one way. blackbox_exporter is asked twice, as its users do:
with verification, and with `insecure_skip_verify`; an expiry that it doesn't give is "missed". It has no module for
PostgreSQL's request for TLS. Time and CPU are those of 20 good endpoints: closewatch asks them in one scrape,
blackbox_exporter in one scrape each, one after the other and all at once, as Prometheus does in the end.

    python -m bench.certificates [--rounds 5] [--files 5000]

Exit status 1: closewatch misses the expiry of a certificate that was presented, or a wrong reason is given, or reading
the files again takes more than five seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from bench.stack import Closewatch, answers, cpu_seconds, fetch
from closewatch.core.deadline import Deadline
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.process import Process
from closewatch.sources.certificates.files import Files
from tests.server.certificates.authority import CA
from tests.server.certificates.servers import serving, tls
from tests.server.certificates.test_endpoints import NOTHING, PRESENTED, Case
from tools.programs import program, version

GOOD = 20
LIMIT = 5.0
PREFIX = "closewatch_certificate_"
MODULES = {"tls": "tls", "smtp": "smtp", "imap": "imap"}


@dataclass(frozen=True)
class Endpoint:
    """A server that runs, and what there is to see of it."""

    name: str
    case: Case
    port: int

    @property
    def presents(self) -> bool:
        """Whether it presents a certificate at all."""
        return self.case.failure is None


def blackbox_modules(root: Path) -> dict[str, Any]:
    """Its modules, with verification and without; STARTTLS as in its own examples."""
    steps = {
        "tls": [],
        "smtp": [
            {"expect": "^220"}, {"send": "EHLO localhost\r"}, {"expect": "^250-STARTTLS"}, {"send": "STARTTLS\r"},
            {"expect": "^220"}, {"starttls": True},
        ],
        "imap": [{"expect": "OK.*"}, {"send": ". STARTTLS"}, {"expect": "OK"}, {"starttls": True}],
    }  # fmt: skip
    modules = {}
    for name, query in steps.items():
        for skip in (False, True):
            config = {"ca_file": str(root), "insecure_skip_verify": skip}
            tcp = {"tls": name == "tls", "tls_config": config, **({"query_response": query} if query else {})}
            modules[name + ("_any" if skip else "")] = {"prober": "tcp", "timeout": "2s", "tcp": tcp}
    return {"modules": modules}


class Blackbox:
    """blackbox_exporter as a process."""

    def __init__(self, run: RunFolder, root: Path) -> None:
        (run.path / "blackbox.yml").write_text(yaml.safe_dump(blackbox_modules(root)), encoding="utf-8")
        self._url = f"http://{HOST}:{(port := free_port())}"
        command = [program("blackbox_exporter"), f"--config.file={run.path / 'blackbox.yml'}"]
        self.process: Process = run.spawn("blackbox", [*command, f"--web.listen-address={HOST}:{port}"])
        self.process.wait_ready(lambda: answers(f"{self._url}/-/healthy"), timeout=15)

    def probe(self, port: int, module: str) -> dict[str, float]:
        """Its metrics of one endpoint."""
        target = quote(f"localhost:{port}", safe="")
        lines = fetch(f"{self._url}/probe?target={target}&module={module}").splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def start(stack: ExitStack, root: CA, middle: CA) -> Iterator[Endpoint]:
    """Every broken endpoint of the tests whose client can be asked for `localhost`."""
    for name, case in {**PRESENTED, **NOTHING}.items():
        if case.hosts == ("localhost",):
            yield Endpoint(name, case, stack.enter_context(serving(case.serve(root, middle))).port)


def target(name: str, endpoints: list[dict[str, Any]], root: Path) -> dict[str, Any]:
    """A target's configuration."""
    return {"kind": "certificates", "name": name, "endpoints": endpoints, "trust": [str(root)]}


def seen(exposition: str) -> dict[str, dict[str, Any]]:
    """By endpoint: whether its expiry is there, and the reasons."""
    found: dict[str, dict[str, Any]] = {}
    for line in exposition.splitlines():
        if line.startswith(PREFIX) and 'source="endpoint"' in line:
            labels = dict(pair.split("=", 1) for pair in line[line.index("{") + 1 : line.rindex("}")].split('",'))
            labels = {key: value.strip('"') for key, value in labels.items()}
            if "certificate" not in labels:
                continue
            about = found.setdefault(labels["certificate"], {"expiry": False, "reasons": set()})
            if line.startswith(PREFIX + "not_after"):
                about["expiry"] = True
            if "reason" in labels:
                about["reasons"].add(labels["reason"])
    return found


def verdicts(closewatch: Closewatch, blackbox: Blackbox, endpoints: list[Endpoint]) -> bool:
    """Print the table; true where closewatch saw all that there was."""
    ours = seen(fetch(f"{closewatch.url}/probe?target=broken", timeout=10))
    right, counts = True, {"verified": 0, "any": 0, "told": 0}
    print(f"{'endpoint':<50} {'closewatch':<52} {'blackbox, verifying':<20} blackbox, not verifying")
    for endpoint in endpoints:
        mine = ours.get(endpoint.name, {"expiry": False, "reasons": set()})
        expected = set(endpoint.case.problems) | ({endpoint.case.failure} if endpoint.case.failure else set())
        good = mine["expiry"] == endpoint.presents and mine["reasons"] == expected
        right = right and good
        theirs = {}
        for way in ("", "_any"):
            module = MODULES.get(endpoint.case.protocol)
            theirs[way] = blackbox.probe(endpoint.port, module + way) if module else {}
        wanted = endpoint.presents
        texts = [_said(found, wanted=wanted) for found in theirs.values()]
        counts["verified"] += wanted and "probe_ssl_earliest_cert_expiry" in theirs[""]
        counts["any"] += wanted and "probe_ssl_earliest_cert_expiry" in theirs["_any"]
        said = f"{'expiry' if mine['expiry'] else '-'}; {', '.join(sorted(mine['reasons'])) or 'well'}"
        print(f"{endpoint.name:<50} {said + ('' if good else '  WRONG'):<52} {texts[0]:<20} {texts[1]}")
    presented = sum(endpoint.presents for endpoint in endpoints)
    print(
        f"\nexpiry seen of {presented} certificates that are presented: closewatch "
        f"{sum(ours.get(e.name, {}).get('expiry', False) for e in endpoints if e.presents)}, "
        f"blackbox_exporter {counts['verified']} verifying, {counts['any']} not verifying (and then without a verdict)"
    )
    return right


def _said(found: dict[str, float], *, wanted: bool) -> str:
    if not found:
        return "no module"
    expiry = "expiry" if "probe_ssl_earliest_cert_expiry" in found else ("missed" if wanted else "-")
    return f"{expiry}; {'well' if found.get('probe_success') else 'failed'}"


def costs(closewatch: Closewatch, blackbox: Blackbox, ports: list[int], rounds: int) -> None:
    """Wall time and CPU of 20 good endpoints."""

    def ours(number: int) -> None:
        fetch(f"{closewatch.url}/probe?target=good-{number}")

    def one_by_one(_: int) -> None:
        for port in ports:
            blackbox.probe(port, "tls")

    pool = ThreadPoolExecutor(len(ports))

    def at_once(_: int) -> None:
        list(pool.map(lambda port: blackbox.probe(port, "tls"), ports))

    ways = (
        ("closewatch, one scrape", ours, closewatch.process.pid),
        ("blackbox_exporter, one after the other", one_by_one, blackbox.process.pid),
        ("blackbox_exporter, all at once", at_once, blackbox.process.pid),
    )
    wall: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    cpu = dict.fromkeys(wall, 0.0)
    for number in range(rounds):
        for name, ask, pid in ways:
            before, began = cpu_seconds(pid), time.perf_counter()
            ask(number)
            wall[name].append(time.perf_counter() - began)
            cpu[name] += cpu_seconds(pid) - before
    pool.shutdown()
    first = statistics.median(wall[ways[0][0]])
    print(f"\n{len(ports)} good endpoints, median of {rounds} rounds; CPU of the exporter alone")
    for name, times in wall.items():
        median = statistics.median(times)
        print(
            f"  {name:<42} {median * 1000:7.1f} ms ({first / median:4.2f})  {cpu[name] / rounds * 1000:6.1f} ms of CPU"
        )


def files(count: int) -> bool:
    """Read a folder, again, and again after one changed; true where that is fast enough."""
    middle = CA("Bench, below", CA("Bench"))
    data = [middle.issue(kind=kind).chain_pem for kind in ("ec", "rsa2048") for _ in range(50)]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            (Path(folder) / f"{number}.pem").write_bytes(data[number % len(data)])
        reader = Files([Path(folder)])
        print(f"\n{count} files of two certificates each")
        slowest = 0.0
        for what in ("read first", "read again", "read again, one changed"):
            began, cpu = time.perf_counter(), time.process_time()
            found = sum(each.bundle is not None for each in reader.read(Deadline.after(60)))
            seconds = time.perf_counter() - began
            print(f"  {what:<26} {seconds:6.3f} s, {time.process_time() - cpu:6.3f} s of CPU, {found} certificates")
            slowest = max(slowest, seconds if "again" in what else 0.0)
            (Path(folder) / "0.pem").write_bytes(data[1])
    return slowest < LIMIT


def main() -> int:
    """The command: 0 when nothing is missed and the files are fast enough."""
    parser = argparse.ArgumentParser(prog="python -m bench.certificates")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=5_000)
    arguments = parser.parse_args()
    root = CA("Bench root")
    middle = CA("Bench intermediate", root)
    print(version(program("blackbox_exporter")))
    with RunFolder() as run, ExitStack() as stack:
        trusted = run.path / "root.pem"
        trusted.write_bytes(root.pem)
        endpoints = list(start(stack, root, middle))
        good = [stack.enter_context(serving(tls(middle.issue()))).port for _ in range(GOOD)]
        broken = [
            {"address": f"localhost:{one.port}", "name": one.name, "protocol": one.case.protocol} for one in endpoints
        ]
        well = [{"address": f"localhost:{port}"} for port in good]
        targets = [target("broken", broken, trusted)]
        targets += [target(f"good-{number}", well, trusted) for number in range(arguments.rounds)]
        closewatch, blackbox = Closewatch(run, targets), Blackbox(run, trusted)
        right = verdicts(closewatch, blackbox, endpoints)
        costs(closewatch, blackbox, good, arguments.rounds)
    return 0 if files(arguments.files) and right else 1


if __name__ == "__main__":
    raise SystemExit(main())
