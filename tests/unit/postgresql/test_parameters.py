"""The collector `parameters`."""

from __future__ import annotations

import pytest

from closewatch.core.collectors import Answer
from closewatch.postgresql.parameters import PARAMETERS, RISKS
from closewatch.postgresql.settings import UnsafeSetting
from tests.unit.postgresql.reading import PRIMARY, lines_of, read, target, value

SAFE = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "ignore_checksum_failure": "off",
    "zero_damaged_pages": "off",
    "ssl": "on",
    "ssl_min_protocol_version": "TLSv1.2",
    "password_encryption": "scram-sha-256",
    "log_connections": "on",
    "allow_system_table_mods": "off",
}


def row(name, setting, *, database=None, role=None, pending=0):
    return {
        "readable": True, "pending": pending, "name": name, "value": setting, "database": database, "role": role
    }  # fmt: skip


def rows(**changed):
    return [row(name, setting) for name, setting in {**SAFE, **changed}.items()]


def unsafe(lines):
    return sorted(
        line.partition('setting="')[2].partition('"')[0]
        for line in lines
        if line.startswith("closewatch_postgresql_setting_unsafe") and line.endswith(" 1")
    )


def test_the_settings_that_can_be_accepted_are_those_that_are_judged():
    assert set(UnsafeSetting.__args__) == set(RISKS) == set(SAFE)


def test_a_safe_server():
    lines = read(PARAMETERS, *rows())
    assert unsafe(lines) == []
    assert len([line for line in lines if "setting_unsafe" in line]) == len(RISKS)
    assert all(f'member="{PRIMARY}"' in line for line in lines)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "off"),
        ("ignore_checksum_failure", "on"),
        ("zero_damaged_pages", "on"),
        ("ssl", "off"),
        ("ssl_min_protocol_version", "TLSv1.1"),
        ("ssl_min_protocol_version", ""),
        ("password_encryption", "md5"),
        ("log_connections", "off"),
        ("log_connections", ""),
        ("allow_system_table_mods", "on"),
    ],
)
def test_each_risk_alone(name, setting):
    assert unsafe(read(PARAMETERS, *rows(**{name: setting}))) == [name]


@pytest.mark.parametrize("setting", ["local", "remote_write", "remote_apply"])
def test_a_commit_that_waits_for_the_disk_is_no_risk(setting):
    assert unsafe(read(PARAMETERS, *rows(synchronous_commit=setting))) == []


def test_connections_are_logged_in_part_from_18_on():
    assert unsafe(read(PARAMETERS, *rows(log_connections="receipt,authorization"))) == []


@pytest.mark.parametrize("setting", ["off", "FALSE", "no", "0"])
def test_a_value_that_a_role_has_of_its_own_counts(setting):
    own = row("synchronous_commit", setting, database=0, role=16_384)
    assert unsafe(read(PARAMETERS, *rows(), own)) == ["synchronous_commit"]
    assert unsafe(read(PARAMETERS, own, *rows())) == ["synchronous_commit"]


def test_what_is_accepted_is_not_shown_at_all():
    accepting = target(access={"accept": ["fsync", "full_page_writes"]})
    lines = read(PARAMETERS, *rows(fsync="off"), on=accepting)
    assert unsafe(lines) == []
    assert not any('setting="fsync"' in line for line in lines)


def test_a_setting_that_the_version_lacks_is_not_claimed():
    lines = read(PARAMETERS, *[one for one in rows() if one["name"] != "ssl"])
    assert not any('setting="ssl"' in line for line in lines)


def test_the_fingerprint_sees_values_and_whose_they_are():
    seen = [
        value(read(PARAMETERS, *some), "closewatch_postgresql_settings_fingerprint")
        for some in (
            rows(),
            rows(log_statement="all"),
            [*rows(), row("log_statement", "none", database=0, role=1)],
            [*rows(), row("log_statement", "none", database=1, role=0)],
            [*rows(), row("log_statement", "none")],
        )
    ]
    assert len(set(seen)) == len(seen)
    assert value(read(PARAMETERS, *reversed(rows())), "closewatch_postgresql_settings_fingerprint") == seen[0]


def test_pending_restart_and_errors_in_files():
    answer = Answer({"main": [row("ssl", "on", pending=3)], "files": [{"errors": 2}]}, 170_000, 0.0, PRIMARY)
    lines = lines_of(PARAMETERS, answer)
    assert value(lines, "closewatch_postgresql_settings_pending_restart") == 3
    assert value(lines, "closewatch_postgresql_config_file_errors") == 2


def test_files_that_may_not_be_read_have_no_errors_and_no_zero():
    assert not any("config_file_errors" in line for line in read(PARAMETERS, *rows()))
