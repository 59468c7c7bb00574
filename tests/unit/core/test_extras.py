"""A host installs the clients of what it watches, and no others: a missing one is named with the extra that has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CLIENTS = {
    "psycopg": "{kind: postgresql, name: one, hosts: [127.0.0.1], user: closewatch}",
    "redis": "{kind: redis, name: one, hosts: [127.0.0.1], use: cache}",
    "OpenSSL": "{kind: certificates, name: one, endpoints: [{address: 127.0.0.1}]}",
    "botocore": "{kind: backups, name: one, s3: {bucket: backups}}",
}
PROGRAM = """
import sys
for name in sys.argv[2:]:
    sys.modules[name] = None
from pathlib import Path
from closewatch.core.problems import ConfigError
from closewatch.kinds import load
from closewatch.registry import Registry
import closewatch.app, closewatch.check
try:
    Registry(load(Path(sys.argv[1]))).close()
except ConfigError as error:
    sys.exit(str(error))
"""


def watch(client: str, folder: Path, *missing: str) -> subprocess.CompletedProcess[str]:
    """Make a registry of the target that needs a client, where these packages are missing."""
    path = folder / "closewatch.yml"
    path.write_text(f"environment: test\ntargets:\n  - {CLIENTS[client]}\n")
    command = [sys.executable, "-c", PROGRAM, str(path), *missing]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_target_needs_its_own_client_alone(client, tmp_path):
    done = watch(client, tmp_path, *(name for name in CLIENTS if name != client))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_missing_client_is_named_with_its_extra(client, tmp_path):
    done = watch(client, tmp_path, client)
    kind = CLIENTS[client].split(",")[0].removeprefix("{kind: ")
    assert done.returncode == 1
    assert f"pip install 'closewatch[{kind}]'" in done.stderr
    assert str(tmp_path / "closewatch.yml") in done.stderr
