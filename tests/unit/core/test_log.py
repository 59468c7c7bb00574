"""The log: one line an event, nothing secret in it, and nothing that a hostile name can break."""

from __future__ import annotations

import json
import logging
import os
import sys

import pytest
import structlog

from closewatch.core import log
from closewatch.core.secrets import remember

SECRET = "s3cret-of-the-log"


@pytest.fixture
def written(capsys):
    """Sets the log up and gives its lines; afterwards logging is as it was."""
    root = logging.getLogger()
    before, level, raising = root.handlers[:], root.level, logging.raiseExceptions

    def lines(style: str = "json", level: str = "info"):
        log.setup(style, level)

        def read() -> list[str]:
            return capsys.readouterr().err.splitlines()

        return read

    yield lines
    root.handlers[:], logging.raiseExceptions = before, raising
    root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_a_json_object_on_one_line(written):
    lines = written()
    structlog.get_logger("closewatch.test").info(
        "target_down", target="pg-07", seconds=1.5, tries=3, ok=False, why=None
    )
    (line,) = lines()
    event = json.loads(line)
    assert list(event)[:4] == ["time", "level", "logger", "event"]
    assert event.pop("time").endswith("Z")
    assert event == {
        "level": "info",
        "logger": "closewatch.test",
        "event": "target_down",
        "target": "pg-07",
        "seconds": 1.5,
        "tries": 3,
        "ok": False,
        "why": None,
    }


@pytest.mark.parametrize("style", log.FORMATS)
def test_secrets_are_masked_wherever_they_occur(written, style):
    remember(SECRET)
    lines = written(style)
    logger = structlog.get_logger("closewatch.test")
    logger.warning("said %s", SECRET, text=f"x{SECRET}x", deep={"list": [SECRET], SECRET: 1}, error=ValueError(SECRET))
    logger.warning(
        "event", password="plain-1", db_token="plain-2", Authorization="plain-3", deep={"api_key": "plain-4"}
    )
    logger.warning("event", address="postgres://user:plain-5@host/db", line="host=h password=plain-6 user=u")
    logging.getLogger("a.library").warning("from %s", SECRET)
    try:
        int(SECRET)
    except ValueError:
        logger.exception("failed")
    said = "\n".join(lines())
    assert SECRET not in said
    assert "plain-" not in said
    assert said.count("***") >= 12


def test_only_keys_that_name_a_secret_are_masked(written):
    lines = written()
    structlog.get_logger().info("e", password_file="/run/pw", secrets_read=3, tokenizer="x", reason="secret")
    event = json.loads(lines()[0])
    assert (event["password_file"], event["secrets_read"], event["tokenizer"]) == ("/run/pw", 3, "x")
    assert event["reason"] == "secret"


@pytest.mark.parametrize("style", log.FORMATS)
def test_a_hostile_name_breaks_no_line_and_steers_no_terminal(written, style):
    lines = written(style)
    structlog.get_logger().warning("event", name='a\nERROR forged\x1b[2J\r"}' + "x" * 10_000)
    (line,) = lines()
    assert line.isprintable()
    assert len(line) < 2_500


def test_a_traceback_keeps_its_lines_but_no_control_characters(written):
    lines = written("console")
    try:
        raise ValueError("bad \x1b[2J name")  # noqa: TRY301
    except ValueError:
        structlog.get_logger().exception("failed")
    said = lines()
    assert said[1] == "Traceback (most recent call last):"
    assert said[-1] == "ValueError: bad \\x1b[2J name"


def test_events_below_the_level_are_not_written(written):
    lines = written("json", "warning")
    structlog.get_logger().info("no")
    logging.getLogger("a.library").info("no")
    structlog.get_logger().warning("yes")
    assert [json.loads(line)["event"] for line in lines()] == ["yes"]


def test_what_json_does_not_know_is_text(written):
    lines = written()
    structlog.get_logger().info("e", number=float("nan"), path=os.PathLike, items={1, 2}, raw=b"\xff")
    event = json.loads(lines()[0])
    assert event["number"] == "nan"
    assert sorted(event["items"]) == [1, 2]
    assert event["raw"] == "b'\\xff'"


def test_a_log_that_can_not_be_written_ends_nothing(written, monkeypatch):
    class Full:
        def write(self, _text: str) -> None:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stderr", Full())
    written()
    structlog.get_logger().error("event")


@pytest.mark.parametrize(("style", "level"), [("xml", "info"), ("json", "loud")])
def test_unknown_words_are_refused_with_what_is_allowed(style, level):
    with pytest.raises(ValueError, match="allowed: "):
        log.setup(style, level)
