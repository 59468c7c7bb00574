"""`closewatch figures`: read by a weak role before a backup, compared with what comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from closewatch.books.sample import sample
from closewatch.engines.postgres import PostgresServer
from closewatch.restores.verify.ledger_queries import LEDGER
from tests.fixtures.secrets import NEVER_SHOWN

pytestmark = pytest.mark.server
READABLE = {
    **LEDGER,
    "account_move": {*LEDGER["account_move"], "inalterable_hash", "secure_sequence_number"},
    "account_journal": {"id", "restrict_mode_hash_table"},
    "ir_module_module": {"name", "state", "latest_version"},
    "ir_config_parameter": {"key", "value"},
    "res_company": {"id"},
}


@pytest.fixture
def config(postgres_server: PostgresServer, tmp_path: Path):
    server = postgres_server
    server.create_database("figures")
    server.sql("figures", sample(40))
    server.create_role("teller", NEVER_SHOWN)
    for table, columns in READABLE.items():
        server.sql("figures", f"GRANT SELECT ({', '.join(sorted(columns))}) ON {table} TO teller")
    (tmp_path / "password").write_text(NEVER_SHOWN)
    login = {"user": "teller", "password": {"file": "password"}}
    targets = [
        {"kind": "postgresql", "name": "pg", "hosts": [server.address], **login},
        {"kind": "odoo", "name": "acme", "server": "pg", "database": "figures"},
    ]
    path = tmp_path / "closewatch.yml"
    path.write_text(yaml.safe_dump({"environment": "test", "targets": targets}))
    yield path
    server.drop_database("figures")
    server.drop_role("teller")


def ask(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "closewatch", "figures", *arguments, "--config", str(config)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_a_weak_role_tells_the_figures(config: Path):
    done = ask(config, "acme")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["figures"]
    assert sum(found["posted"].values()) == 40
    assert found["heads"]
    assert found["identity"]


def test_a_right_that_is_missing_is_said_and_nothing_printed(config: Path, postgres_server: PostgresServer):
    postgres_server.sql("figures", "REVOKE ALL ON account_move_line FROM teller")
    done = ask(config, "acme")
    assert done.returncode == 0 or "permission" in done.stderr
    # Without its lines the accounting is no accounting: that is in the figures, never a guess.
    if done.returncode == 0:
        assert "posted" not in json.loads(done.stdout)["figures"]


def test_what_is_not_there(config: Path, postgres_server: PostgresServer):
    assert "no target 'nobody' of kind odoo; there are: acme" in ask(config, "nobody").stderr
    config.write_text(config.read_text().replace(postgres_server.address, "127.0.0.1:1"))
    done = ask(config, "acme")
    assert (done.returncode, "acme: unreachable" in done.stderr) == (1, True)
    assert NEVER_SHOWN not in done.stdout + done.stderr
