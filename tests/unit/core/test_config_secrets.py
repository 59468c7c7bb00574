"""Secrets by reference: read anew, and never shown."""

from __future__ import annotations

import contextlib
import os
import pickle
import traceback
from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from closewatch.core.secrets import MASK, Secret, SecretError, masked, remember


def failure(secret: Secret) -> str:
    with pytest.raises(SecretError) as caught:
        secret.read()
    return str(caught.value)


def test_a_file_is_read_anew_each_time(tmp_path):
    path = tmp_path / "pw"
    path.write_text("first-secret\n")
    secret = Secret(file=path)
    assert secret.read() == "first-secret"
    path.write_text("second-secret")
    assert secret.read() == "second-secret"


def test_only_one_line_break_at_the_end_is_removed(tmp_path):
    path = tmp_path / "pw"
    for content, expected in ((b"a b \n\n", "a b \n"), (b"a\r\n", "a"), (b" a", " a"), ("é\n".encode(), "é")):
        path.write_bytes(content)
        assert Secret(file=path).read() == expected


def test_a_variable(monkeypatch):
    monkeypatch.setenv("CLOSEWATCH_TEST_SECRET", "from-the-environment")
    assert Secret(env="CLOSEWATCH_TEST_SECRET").read() == "from-the-environment"
    monkeypatch.setenv("CLOSEWATCH_TEST_SECRET", "")
    assert failure(Secret(env="CLOSEWATCH_TEST_SECRET")) == "environment variable CLOSEWATCH_TEST_SECRET: is empty"
    monkeypatch.delenv("CLOSEWATCH_TEST_SECRET")
    assert failure(Secret(env="CLOSEWATCH_TEST_SECRET")) == "environment variable CLOSEWATCH_TEST_SECRET: is not set"


def test_what_can_not_be_read_is_named_without_content(tmp_path):
    path = tmp_path / "pw"
    assert failure(Secret(file=path)) == f"file {path}: does not exist"
    assert failure(Secret(file=tmp_path)) == f"file {tmp_path}: is a directory; expected a file"
    path.write_text("\n")
    assert failure(Secret(file=path)) == f"file {path}: is empty"
    path.write_bytes(b"x" * 70_000)
    assert failure(Secret(file=path)) == f"file {path}: is too large: more than 65,536 bytes"
    path.write_bytes(b"a\0b")
    assert failure(Secret(file=path)) == f"file {path}: holds a NUL character"


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
    path = tmp_path / "pw"
    path.write_text("secret")
    path.chmod(0)
    with without_rights():
        said = failure(Secret(file=path))
    assert said == f"file {path}: permission denied: the user that runs closewatch can't read it"


def test_a_traceback_holds_nothing_of_the_content(tmp_path):
    path = tmp_path / "pw"
    path.write_bytes(b"half-readable-\xff")
    with pytest.raises(SecretError, match=r"is not UTF-8 text$") as caught:
        Secret(file=path).read()
    assert "half-readable" not in "".join(traceback.format_exception(caught.value))
    assert "half-readable" not in repr((caught.value.__cause__, caught.value.__context__))


def test_a_pipe_that_nobody_writes_does_not_block(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert failure(Secret(file=path)) == f"file {path}: is empty"


def test_nothing_that_prints_or_dumps_shows_where_or_what(tmp_path):
    class Settings(BaseModel):
        password: Secret

    path = tmp_path / "pw"
    path.write_text("never-shown")
    settings = Settings.model_validate({"password": {"file": str(path)}})
    settings.password.read()
    shown = [
        repr(settings),
        str(settings),
        f"{settings.password}",
        settings.model_dump_json(),
        str(settings.model_dump()),
    ]
    assert all(MASK in text and "never-shown" not in text for text in shown)
    assert b"never-shown" not in pickle.dumps(settings.password)


def test_equal_by_place():
    assert Secret(env="A") == Secret(env="A") != Secret(env="B")
    assert len({Secret(file=Path("a")), Secret(file=Path("a")), Secret(env="a")}) == 2


@pytest.mark.parametrize(
    "given", ["plain-secret", {}, {"file": ""}, {"file": 3}, {"file": "a", "env": "B"}, {"x": "y"}, 7]
)
def test_anything_else_is_refused_without_echo(given):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Secret).validate_python(given)
    assert [error["msg"] for error in caught.value.errors()] == [
        "expected {file: PATH} or {env: NAME}; a secret itself is never written here"
    ]


def test_what_was_read_is_masked_wherever_it_appears():
    remember("s3cret-value")
    remember("s3cret-value-and-more")
    remember("pg")
    assert masked("a s3cret-value-and-more b s3cret-value c pg") == "a *** b *** c pg"
