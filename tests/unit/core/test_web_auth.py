"""Basic auth: right and wrong logins, what is remembered, and what can't be told from outside."""

from __future__ import annotations

import base64
import threading

import bcrypt
import pytest

from closewatch.core.web import auth
from closewatch.core.web.auth import BasicAuth, Verdict

HASH = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
OTHER = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
USERS = {"prometheus": HASH}


def basic(user: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


class Counting:
    """Compares like bcrypt, and counts."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []
        self.now = 1000.0

    def check(self, password: bytes, hashed: bytes) -> bool:
        self.hashes.append(hashed)
        return bcrypt.checkpw(password, hashed)

    def auth(self) -> BasicAuth:
        return BasicAuth(clock=lambda: self.now, check=self.check)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (basic("prometheus", "right"), Verdict.RIGHT),
        (basic("prometheus", "right", "bAsIc"), Verdict.RIGHT),
        (basic("prometheus", "wrong"), Verdict.WRONG),
        (basic("prometheus", ""), Verdict.WRONG),
        (basic("Prometheus", "right"), Verdict.WRONG),
        (basic("", "right"), Verdict.WRONG),
        (basic("prometheus", "right" + "x" * 5_000), Verdict.WRONG),
        (basic("prometheus", "right\0"), Verdict.WRONG),
        (None, Verdict.WRONG),
        ("", Verdict.WRONG),
        ("Basic", Verdict.WRONG),
        ("Basic !!!", Verdict.WRONG),
        ("Basic " + base64.b64encode(b"no colon").decode(), Verdict.WRONG),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), Verdict.WRONG),
        ("Bearer x", Verdict.WRONG),
    ],
)
def test_logins(header, expected):
    assert BasicAuth().verdict(header, USERS) is expected


def test_a_long_password_counts_as_far_as_bcrypt_reads():
    users = {"u": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()}
    assert BasicAuth().verdict(basic("u", "x" * 100), users) is Verdict.RIGHT


def test_what_was_right_is_remembered_as_long_as_it_is_used():
    counting = Counting()
    login = counting.auth()
    for _ in range(10):
        assert login.verdict(basic("prometheus", "right"), USERS) is Verdict.RIGHT
        counting.now += auth.RIGHT_SECONDS - 1
    assert len(counting.hashes) == 1
    counting.now += 2
    assert login.verdict(basic("prometheus", "right"), USERS) is Verdict.RIGHT
    assert len(counting.hashes) == 2


def test_what_was_wrong_is_remembered_for_a_minute():
    counting = Counting()
    login = counting.auth()
    for _ in range(3):
        assert login.verdict(basic("prometheus", "wrong"), USERS) is Verdict.WRONG
        counting.now += auth.WRONG_SECONDS / 3 + 0.1
    assert len(counting.hashes) == 1
    assert login.verdict(basic("prometheus", "wrong"), USERS) is Verdict.WRONG
    assert len(counting.hashes) == 2


def test_a_changed_password_counts_at_once():
    login = BasicAuth()
    assert login.verdict(basic("prometheus", "right"), USERS) is Verdict.RIGHT
    assert login.verdict(basic("prometheus", "right"), {"prometheus": OTHER}) is Verdict.WRONG
    assert login.verdict(basic("prometheus", "other"), {"prometheus": OTHER}) is Verdict.RIGHT


def test_what_is_remembered_is_bounded_and_wrong_ones_do_not_push_out_right_ones(monkeypatch):
    monkeypatch.setattr(auth, "REMEMBERED", 5)
    counting = Counting()
    login = counting.auth()
    assert login.verdict(basic("prometheus", "right"), USERS) is Verdict.RIGHT
    for number in range(20):
        assert login.verdict(basic("prometheus", f"wrong {number}"), USERS) is Verdict.WRONG
    assert len(login._wrong._until) == 5
    assert login.verdict(basic("prometheus", "right"), USERS) is Verdict.RIGHT
    assert len(counting.hashes) == 21


def test_an_unknown_user_costs_the_comparison_of_a_known_one_and_never_gets_in():
    counting = Counting()
    login = counting.auth()
    assert login.verdict(basic("nobody", "right"), USERS) is Verdict.WRONG
    assert login.verdict(basic("nobody", "right"), USERS) is Verdict.WRONG
    assert counting.hashes == [HASH.encode()]
    assert login.verdict(basic("prometheus", "right"), USERS) is Verdict.RIGHT


def test_the_stand_in_for_an_unknown_user_stays_the_same():
    counting = Counting()
    login = counting.auth()
    users = {"a": HASH, "b": OTHER}
    for number in range(5):
        login.verdict(basic("nobody", f"x{number}"), users)
    assert len(set(counting.hashes)) == 1


def test_a_password_is_not_kept_in_memory_as_it_is():
    login = BasicAuth()
    login.verdict(basic("prometheus", "right"), USERS)
    login.verdict(basic("prometheus", "wrong-one"), USERS)
    kept = repr((list(login._right._until), list(login._wrong._until)))
    assert "right" not in kept
    assert "wrong-one" not in kept


def test_only_one_comparison_at_a_time_while_remembered_logins_go_on():
    inside, go_on = threading.Event(), threading.Event()
    running = []

    def check(password: bytes, hashed: bytes) -> bool:
        running.append(password)
        if password != b"right":
            inside.set()
            assert go_on.wait(30)
        return bcrypt.checkpw(password, hashed)

    login = BasicAuth(check=check, wait_seconds=0.05)
    assert login.verdict(basic("prometheus", "right"), USERS) is Verdict.RIGHT
    thread = threading.Thread(target=login.verdict, args=(basic("prometheus", "guess 1"), USERS))
    thread.start()
    assert inside.wait(30)
    assert login.verdict(basic("prometheus", "guess 2"), USERS) is Verdict.BUSY
    assert login.verdict(basic("prometheus", "right"), USERS) is Verdict.RIGHT
    go_on.set()
    thread.join(30)
    assert running == [b"right", b"guess 1"]
    assert login.verdict(basic("prometheus", "guess 2"), USERS) is Verdict.WRONG


def test_the_same_login_many_times_at_once_is_compared_once():
    counting = Counting()
    login = counting.auth()
    verdicts: list[Verdict] = []
    barrier = threading.Barrier(8)

    def one() -> None:
        barrier.wait(30)
        verdicts.append(login.verdict(basic("prometheus", "right"), USERS))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert verdicts == [Verdict.RIGHT] * 8
    assert len(counting.hashes) == 1


def test_after_a_wrong_login_the_turn_is_kept_as_long_again():
    now, rested = [0.0], []

    def check(_password: bytes, _hashed: bytes) -> bool:
        now[0] += 0.25
        return False

    def rest(seconds: float) -> None:
        rested.append(seconds)
        assert login.verdict(basic("prometheus", "another"), USERS) is Verdict.BUSY

    login = BasicAuth(clock=lambda: now[0], check=check, wait_seconds=0.01, rest=rest)
    assert login.verdict(basic("prometheus", "wrong"), USERS) is Verdict.WRONG
    assert rested == [0.25]


def test_no_more_than_a_few_logins_wait_for_their_turn(monkeypatch):
    monkeypatch.setattr(auth, "QUEUE", 2)
    inside, go_on = threading.Event(), threading.Event()

    def check(_password: bytes, _hashed: bytes) -> bool:
        inside.set()
        return not go_on.wait(30)

    login = BasicAuth(check=check, wait_seconds=30, rest=lambda _: None)
    threads = [
        threading.Thread(target=login.verdict, args=(basic("prometheus", f"guess {n}"), USERS)) for n in range(2)
    ]
    for thread in threads:
        thread.start()
    assert inside.wait(30)
    poll = threading.Event()
    while login._queue._value:
        poll.wait(0.005)
    assert login.verdict(basic("prometheus", "guess 3"), USERS) is Verdict.BUSY
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert login._queue._value == 2
