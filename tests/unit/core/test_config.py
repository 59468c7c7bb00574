"""A valid configuration: what the loader makes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from closewatch.core.config import ConfigError, json_schema, load
from closewatch.core.secrets import Secret
from tests.unit.core.config_kinds import KINDS, Database, Server

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "closewatch.yml"
SERVER = "{kind: postgresql, name: %s, hosts: [h], user: u}"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_the_example():
    config = load(EXAMPLE, KINDS)
    server, database = config.targets
    assert isinstance(server, Server)
    assert isinstance(database, Database)
    assert server.password == Secret(file=Path("/run/secrets/pg-07"))
    assert server.labels() == {"environment": "production", "cell": "pg-07", "target": "pg-07"}
    assert database.labels() == {"environment": "production", "cell": "pg-07", "tenant": "acme", "target": "acme"}
    assert config.files == (EXAMPLE,)
    assert config.place(database) == f"{EXAMPLE}:23"
    assert [str(problem) for problem in config.secret_problems()] == [
        f"{EXAMPLE}:15: targets[0].password: file /run/secrets/pg-07: does not exist"
    ]


def test_the_schema_accepts_the_example_and_refuses_faults():
    schema = json_schema(KINDS)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    example = yaml.safe_load(EXAMPLE.read_text())
    validator.validate(example)
    example["targets"][0]["password"] = "plain"
    assert not validator.is_valid(example)
    example["targets"][0]["password"] = {"env": "PG"}
    assert validator.is_valid(example)
    example["targets"][1]["hosts"] = []
    assert not validator.is_valid(example)


def test_the_schema_of_a_single_kind():
    schema = json_schema({"odoo": Database})
    target = {"kind": "odoo", "name": "a", "server": "s", "database": "d"}
    jsonschema.Draft202012Validator(schema).validate({"targets": [target]})


def test_every_field_of_the_schema_is_described():
    schema = json_schema(KINDS)
    groups = {"closewatch": schema, **schema["$defs"]}
    fields = {
        f"{group}.{name}": field for group, body in groups.items() for name, field in body.get("properties", {}).items()
    }
    assert len(fields) > 20
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_a_configuration_is_frozen(tmp_path):
    config = load(
        write(tmp_path / "c.yml", f"environment: e\ntargets: [{SERVER % 'a'}]\ntenants: {{t: {{}}}}\n"), KINDS
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.path = Path()
    with pytest.raises(ValidationError):
        config.targets[0].name = "b"
    with pytest.raises(TypeError):
        config.tenants["x"] = config.tenants["t"]


def test_targets_of_included_files_in_order_and_each_file_once(tmp_path):
    main = write(
        tmp_path / "c.yml", f"environment: e\ninclude: ['*.yml', 'd/*.yml', d/b.yml]\ntargets: [{SERVER % 'm'}]\n"
    )
    write(tmp_path / "d" / "b.yml", f"targets: [{SERVER % 'b'}]")
    write(tmp_path / "d" / "a.yml", f"targets: [{SERVER % 'a'}]")
    write(tmp_path / "d" / ".hidden.yml", "not read")
    config = load(main, KINDS)
    assert [target.name for target in config.targets] == ["m", "a", "b"]
    assert config.files == (main, tmp_path / "d" / "a.yml", tmp_path / "d" / "b.yml")


def test_paths_are_relative_to_the_file_in_which_they_are_written(tmp_path):
    main = write(tmp_path / "c.yml", "environment: e\ninclude: ['d/*.yml']\n")
    write(
        tmp_path / "d" / "a.yml",
        "targets: [{kind: postgresql, name: a, hosts: [h], user: u, password: {file: pw}, tls: {ca: ca.pem}}]",
    )
    server = load(main, KINDS).targets[0]
    assert isinstance(server, Server)
    assert server.password == Secret(file=tmp_path / "d" / "pw")
    assert server.tls.ca == tmp_path / "d" / "ca.pem"


def test_an_empty_folder_is_fine_an_empty_configuration_only_on_purpose(tmp_path):
    (tmp_path / "d").mkdir()
    assert load(write(tmp_path / "c.yml", "include: ['d/*.yml']\ntargets: []\n"), KINDS).targets == ()
    with pytest.raises(ConfigError, match="nothing to watch"):
        load(write(tmp_path / "c.yml", "include: ['d/*.yml']\n"), KINDS)


def test_the_folder_as_an_included_file_is_refused(tmp_path):
    (tmp_path / "d.yml").mkdir()
    with pytest.raises(ConfigError, match=r"d\.yml: is a directory; expected a file"):
        load(write(tmp_path / "c.yml", "include: ['d*.yml']\ntargets: []\n"), KINDS)


def test_environment_comes_from_the_target_then_its_server_then_the_file(tmp_path):
    text = """
        environment: top
        targets:
          - {kind: odoo, name: a, server: s, database: d}
          - {kind: odoo, name: b, server: s, database: d, environment: own}
          - {kind: odoo, name: c, server: t, database: d}
          - {kind: postgresql, name: s, hosts: [h], user: u, environment: of-server, cell: c1}
          - {kind: postgresql, name: t, hosts: [h], user: u}
    """
    targets = load(write(tmp_path / "c.yml", text), KINDS).targets
    assert [target.environment for target in targets] == ["of-server", "own", "top", "of-server", "top"]
    assert [target.cell for target in targets] == ["c1", "c1", None, "c1", None]


def test_a_faulty_server_is_not_blamed_twice(tmp_path):
    text = """
        targets:
          - {kind: postgresql, name: s, hosts: [h], user: u, tls: 3}
          - {kind: odoo, name: a, server: s, database: d}
    """
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path / "c.yml", text), KINDS)
    assert [problem.key for problem in caught.value.problems] == ["targets[0].tls"]


def test_one_name_in_two_kinds_is_allowed(tmp_path):
    text = f"environment: e\ntargets: [{SERVER % 'a'}, {{kind: odoo, name: a, server: a, database: d}}]\n"
    assert len(load(write(tmp_path / "c.yml", text), KINDS).targets) == 2


def test_anchors_and_merge_keys(tmp_path):
    text = """
        environment: e
        targets:
          - &base {kind: postgresql, name: a, hosts: [h], user: u, cell: one}
          - {<<: *base, name: b}
          - <<: [{cell: two}, *base]
            name: c
    """
    targets = load(write(tmp_path / "c.yml", text), KINDS).targets
    assert [(target.name, target.cell) for target in targets] == [("a", "one"), ("b", "one"), ("c", "two")]


def test_words_that_yaml_1_1_takes_for_something_else_stay_text(tmp_path):
    text = """
        environment: 2026-01-31
        targets: [{kind: postgresql, name: off, hosts: [10:30, h], user: yes, tenant: no, database: 'null'}]
    """
    (server,) = load(write(tmp_path / "c.yml", text), KINDS).targets
    assert isinstance(server, Server)
    assert (server.environment, server.name, server.user, server.tenant) == ("2026-01-31", "off", "yes", "no")
    assert server.hosts == ("10:30", "h")
    assert server.database == "null"


def test_a_byte_order_mark_and_windows_line_breaks(tmp_path):
    path = tmp_path / "c.yml"
    path.write_bytes(b"\xef\xbb\xbfenvironment: e\r\ntargets: []\r\n")
    assert load(path, KINDS).targets == ()


def test_a_pipe_as_it_comes_from_a_shell():
    script = 'import pathlib, closewatch.core.config as c; print(c.load(pathlib.Path("/dev/stdin"), {}).targets)'
    done = subprocess.run([sys.executable, "-c", script], input=b"targets: []", capture_output=True, check=True)
    assert done.stdout == b"()\n"


def test_the_hash_is_what_sha256sum_says(tmp_path):
    main = write(tmp_path / "c.yml", "include: ['d/*.yml']\nenvironment: e\n")
    write(tmp_path / "d" / "a.yml", f"targets: [{SERVER % 'a'}]")
    listed = subprocess.run(["sha256sum", "c.yml", "d/a.yml"], cwd=tmp_path, capture_output=True, check=True).stdout
    first = load(main, KINDS).hash
    assert first == hashlib.sha256(listed).hexdigest()
    write(tmp_path / "d" / "a.yml", f"targets: [{SERVER % 'b'}]")
    assert load(main, KINDS).hash != first


def test_tenants(tmp_path):
    text = """
        targets: []
        tenants: {a: {hours: 'Mon-Fri 09:00-17:00', timezone: Europe/Paris}, b: {state: suspended}, c: {}}
    """
    config = load(write(tmp_path / "c.yml", text), KINDS)
    monday, sunday = dt.datetime(2026, 6, 1, 8, tzinfo=dt.UTC), dt.datetime(2026, 5, 31, 8, tzinfo=dt.UTC)
    assert config.tenant("a").expected(monday)
    assert not config.tenant("a").expected(sunday)
    assert not config.tenant("b").expected(monday)
    assert config.tenant("c").expected(sunday)
    assert config.tenant("not listed").expected(sunday)


def test_a_thousand_targets_load(tmp_path):
    lines = "".join(
        f"  - {SERVER % f's{i}'}\n  - {{kind: odoo, name: d{i}, server: s{i}, database: d}}\n" for i in range(1000)
    )
    assert len(load(write(tmp_path / "c.yml", f"environment: e\ntargets:\n{lines}"), KINDS).targets) == 2000
