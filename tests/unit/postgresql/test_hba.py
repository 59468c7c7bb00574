"""The collector `hba`: which lines are risky, and when the file has changed."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.core.collectors import Answer, Reason, Unavailable
from closewatch.postgresql.hba import HBA
from closewatch.postgresql.hbarisks import RISKS, Line, risks
from tests.unit.postgresql.reading import PRIMARY, lines_of, read, target, value

FINGERPRINT = "closewatch_postgresql_access_rules_fingerprint"
PENDING = "closewatch_postgresql_access_rules_pending"


def line(text: str, **more: object) -> dict[str, object]:
    """A row as the server makes one of a line: `host all all 10.0.0.0/8 md5`."""
    type_, databases, users, *rest = text.split()
    address = netmask = None
    if len(rest) > 1:
        address, _, bits = rest[0].partition("/")
        if bits:
            netmask = str(ipaddress.ip_network((0, int(bits)) if "." in address else f"::/{bits}").netmask)
    return {
        "loaded": 1.0,
        "type": type_,
        "databases": databases,
        "users": users,
        "address": address,
        "netmask": netmask,
        "method": rest[-1],
        "invalid": False,
        "options": None,
        "certificate": False,
        "secret": False,
        **more,
    }


EMPTY = {**dict.fromkeys(line("local all all peer"), None), "loaded": 1.0, "invalid": False}


def found(*rows: dict[str, object]) -> dict[str, int]:
    counts = risks(Line.of(row) for row in rows)
    assert set(counts) == set(RISKS)
    return {risk: count for risk, count in counts.items() if count}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local all all peer", set()),
        ("local all all trust", {"trust_local"}),
        ("local all all md5", {"md5"}),
        ("host all all 127.0.0.1/32 trust", {"trust_local"}),
        ("host all all 127.0.0.0/8 ident", set()),
        ("host all all ::1/128 password", set()),
        ("host all all samehost scram-sha-256", set()),
        ("host all all localhost scram-sha-256", set()),
        ("hostssl all all 10.0.0.0/8 scram-sha-256", set()),
        ("hostgssenc all all 10.0.0.0/8 gss", set()),
        ("host all all 10.0.0.0/8 reject", set()),
        ("host odoo odoo 10.0.0.0/8 scram-sha-256", {"unencrypted"}),
        ("hostnossl odoo odoo 10.0.0.0/8 scram-sha-256", {"unencrypted"}),
        ("hostnogssenc odoo odoo 10.0.0.0/8 scram-sha-256", {"unencrypted"}),
        ("hostssl odoo odoo 10.0.0.0/8 md5", {"md5"}),
        ("hostssl odoo odoo 10.0.0.0/8 trust", {"trust"}),
        ("hostssl odoo odoo samenet trust", {"trust"}),
        ("hostssl odoo odoo db.example.com trust", {"trust"}),
        ("hostssl odoo odoo 10.0.0.0/8 password", set()),
        ("host odoo odoo 10.0.0.0/8 password", {"unencrypted", "cleartext_password"}),
        ("host odoo odoo 10.0.0.0/8 ldap", {"unencrypted", "cleartext_password"}),
        ("hostssl odoo odoo 10.0.0.0/8 ident", {"ident"}),
        ("hostssl all all 0.0.0.0/0 scram-sha-256", {"everybody"}),
        ("hostssl all all ::/0 scram-sha-256", {"everybody"}),
        ("hostssl all all all scram-sha-256", {"everybody"}),
        ("hostssl replication all all scram-sha-256", {"everybody"}),
        ("hostssl all odoo all scram-sha-256", set()),
        ("hostssl odoo all all scram-sha-256", set()),
        ("host all all 0.0.0.0/0 trust", {"trust", "unencrypted", "everybody"}),
        ("host all all fe80::/10 scram-sha-256", {"unencrypted"}),
    ],
)
def test_what_is_risky_in_a_line(text, expected):
    assert found(line(text)) == dict.fromkeys(expected, 1)


def test_a_certificate_is_no_trust():
    assert found(line("hostssl all odoo all trust", certificate=True)) == {}


def test_a_password_in_the_line():
    assert found(line("hostssl odoo odoo 10.0.0.0/8 ldap", secret=True)) == {"stored_secret": 1}


def test_a_line_that_cant_be_read_is_only_that():
    assert found({**EMPTY, "invalid": True}) == {"invalid": 1}


@pytest.mark.parametrize("address", ["not an address", "10.0.0.1", "", "1.2.3.4.5"])
def test_an_address_that_isnt_understood_is_remote(address):
    assert "trust" in found({**line("hostssl odoo odoo 10.0.0.0/8 trust"), "address": address, "netmask": None})


class TestSessionsWithoutTlsAreTurnedAwayAbove:
    OPEN = line("host all odoo 10.0.0.0/8 password")
    REPLICATION = line("host replication replicator 10.0.0.0/8 scram-sha-256")

    @pytest.mark.parametrize("reject", ["hostnossl all all all reject", "hostnossl all all 0.0.0.0/0 reject"])
    def test_then_the_lines_below_are_safe(self, reject):
        assert found(line(reject), line("hostnossl all all ::/0 reject"), self.OPEN) == {}

    @pytest.mark.parametrize(
        "reject",
        [
            "hostnossl all odoo all reject",
            "hostnossl odoo all all reject",
            "hostnossl all all 10.0.0.0/8 reject",
            "hostnossl all all 0.0.0.0/0 reject",  # and IPv6?
            "hostssl all all all reject",
            "local all all reject",
        ],
    )
    def test_by_less_they_are_not(self, reject):
        assert found(line(reject), self.OPEN) == {"unencrypted": 1, "cleartext_password": 1}

    def test_below_is_too_late(self):
        assert "unencrypted" in found(self.OPEN, line("hostnossl all all all reject"))

    def test_replication_is_a_word_of_its_own(self):
        assert found(line("hostnossl all all all reject"), self.REPLICATION) == {"unencrypted": 1}
        assert found(line("hostnossl all,replication all all reject"), self.REPLICATION) == {}


def test_no_line_at_all():
    lines = read(HBA, EMPTY)
    assert value(lines, "closewatch_postgresql_access_rules{") == 0
    assert len([one for one in lines if "_risky" in one]) == len(RISKS)


def test_the_fingerprint_sees_order_and_content():
    one, two = line("local all all peer"), line("hostssl all odoo all scram-sha-256")
    seen = {
        value(read(HBA, *rows), FINGERPRINT)
        for rows in ([one, two], [two, one], [one], [one, {**two, "options": "17"}], [one, {**two, "method": "md5"}])
    }
    assert len(seen) == 5
    assert value(read(HBA, one, two), FINGERPRINT) == value(read(HBA, {**one, "loaded": 9.0}, two), FINGERPRINT)


def test_a_change_is_pending_until_it_is_loaded_or_taken_back():
    memory: dict[str, object] = {}
    old, new = line("local all all peer"), line("local all all md5")
    pending = [
        value(read(HBA, {**row, "loaded": loaded}, memory=memory), PENDING)
        for row, loaded in [(old, 1.0), (old, 1.0), (new, 1.0), (old, 1.0), (new, 1.0), (new, 2.0), (new, 2.0)]
    ]
    assert pending == [0, 0, 1, 0, 1, 0, 0]


def test_members_have_files_of_their_own():
    memory: dict[str, object] = {}
    read(HBA, line("local all all peer"), memory=memory, member="10.0.0.1:5432")
    lines = read(HBA, line("local all all md5"), memory=memory, member="10.0.0.2:5432")
    assert value(lines, PENDING) == 0


def test_a_file_that_may_not_be_read_is_unavailable_or_left_out_on_purpose():
    nothing = Answer({}, 170_000, 0.0, PRIMARY)
    with pytest.raises(Unavailable) as caught:
        lines_of(HBA, nothing)
    assert caught.value.reason is Reason.PERMISSION
    assert lines_of(HBA, nothing, on=target(access={"hba": False})) == []


WORDS = (
    st.none() | st.text(max_size=12) | st.sampled_from(["all", "replication", "host", "local", "trust", "::", "::1"])
)


@given(st.fixed_dictionaries(dict.fromkeys(("type", "databases", "users", "address", "netmask", "method"), WORDS)))
def test_nothing_that_a_file_says_is_too_much(row):
    counts = risks([Line.of({**EMPTY, **row, "certificate": False, "secret": False})])
    assert set(counts) == set(RISKS)
    assert all(count in {0, 1} for count in counts.values())
