"""Faulty configurations: one fault a file in tests/config, with the lines that a user reads at its top (`#! `)."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closewatch.core.config import ConfigError, load
from tests.unit.core.config_kinds import KINDS

FOLDER = Path(__file__).parents[2] / "config"
FAULTY = sorted(FOLDER.glob("bad_*.yml"))


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, KINDS)
    lines = [str(problem) for problem in caught.value.problems]
    assert str(caught.value) == "\n".join(lines)
    return [line.replace(f"{path.parent}/", "") for line in lines]


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_one_fault_gives_the_message_in_its_file(path):
    expected = [line.removeprefix("#! ") for line in path.read_text().splitlines() if line.startswith("#! ")]
    assert expected
    assert problems(path) == expected


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_no_message_shows_a_secret(path):
    said = "\n".join(problems(path))
    assert "plain-test-secret" not in said
    assert "123456" not in said


def test_all_faults_are_said_at_once_in_the_order_of_lines(tmp_path):
    path = tmp_path / "closewatch.yml"
    path.write_text("x: 1\ntargets:\n  - {kind: odoo, name: a}\n  - {kind: redis}\n  - 3\ntenants: {a: {state: x}}\n")
    assert [line.split(" ")[0] + line.split(" ")[1] for line in problems(path)] == [
        "closewatch.yml:1:x:",
        "closewatch.yml:3:targets[0].server:",
        "closewatch.yml:3:targets[0].database:",
        "closewatch.yml:4:targets[1].kind:",
        "closewatch.yml:5:targets[2]:",
        "closewatch.yml:6:tenants.a.state:",
    ]


def test_a_missing_file(tmp_path):
    assert problems(tmp_path / "no.yml") == ["no.yml: the file does not exist"]


def test_a_directory(tmp_path):
    (tmp_path / "folder").mkdir()
    assert problems(tmp_path / "folder") == ["folder: is a directory; expected a file"]


@contextlib.contextmanager
def without_rights():
    """As an ordinary user for a moment, where the tests run as root: root may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_without_the_right_to_read(tmp_path):
    path = tmp_path / "closewatch.yml"
    path.write_text("targets: []")
    path.chmod(0)
    expected = "closewatch.yml: permission denied: the user that runs closewatch can't read this file"
    with without_rights():
        said = problems(path)
    assert said == [expected]


def test_a_file_that_can_not_be_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.yml")
        assert problems(tmp_path / "s.yml") == ["s.yml: can't be read: No such device or address"]


def test_a_name_with_a_nul():
    assert problems(Path("/x\0y")) == ["/x\\x00y: can't be read: not a valid file name"]


def test_an_empty_file(tmp_path):
    (tmp_path / "closewatch.yml").write_text("")
    assert problems(tmp_path / "closewatch.yml") == [
        "closewatch.yml: the file is empty; expected keys and values in YAML"
    ]


def test_a_file_of_50_mb_is_refused_without_reading_it_whole(tmp_path):
    path = tmp_path / "closewatch.yml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    expected = "is too large: 50,000,000 bytes or more; at most 4,194,304 are read; split it by `include`"
    assert problems(path) == [f"closewatch.yml: {expected}"]


def test_text_in_another_encoding(tmp_path):
    path = tmp_path / "closewatch.yml"
    path.write_bytes("environment: production\n# für\n".encode("latin-1"))
    assert problems(path) == ["closewatch.yml:2: not UTF-8 text; save the file as UTF-8"]
    path.write_bytes("environment: production\n".encode("utf-16"))
    assert problems(path) == ["closewatch.yml:1: not UTF-8 text; save the file as UTF-8"]


def test_a_control_character(tmp_path):
    path = tmp_path / "closewatch.yml"
    path.write_bytes(b"environment: production\ntargets: \x1b[2J\n")
    assert problems(path) == ["closewatch.yml:2: YAML: the control character U+001B is not allowed"]


def test_what_the_user_wrote_is_cut_and_on_one_line(tmp_path):
    path = tmp_path / "closewatch.yml"
    path.write_text('environment: "a\\n\\e[2J' + "x" * 10_000 + '"\ntargets: []\n')
    (line,) = problems(path)
    assert line.startswith('closewatch.yml:1: environment: "a\\n\\u001b[2Jxxx')
    assert len(line) < 250
    assert line.isprintable()


def test_a_deep_file_does_not_end_the_process(tmp_path):
    path = tmp_path / "closewatch.yml"
    for text in ("[" * 1_000_000, "- " * 1_000_000, "{" * 1_000_000):
        path.write_text(text)
        assert problems(path) == ["closewatch.yml:1: YAML: nested too deeply; at most 40 levels are allowed"]


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text("{}[]&*!|>'\"%@`,:-? \n\tab1<", max_size=60).map(str.encode))
def test_no_content_gives_anything_but_a_configuration_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "closewatch.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load(path, KINDS)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["odoo", "postgresql", "pg"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["targets", "kind", "name", "hosts", "tenants", "include", "tls", "password", "a"]),
                inner,
            )
        ),
    )
)
def test_no_shape_gives_anything_but_problems_of_one_line(tmp_path_factory, data):
    import json

    path = tmp_path_factory.getbasetemp() / "shape.yml"
    path.write_text(json.dumps({"targets": data, "tenants": data, "include": data, "environment": data}))
    try:
        load(path, KINDS)
    except ConfigError as error:
        for problem in error.problems:
            assert str(problem).isprintable()
            assert problem.line == 1 or not problem.key
