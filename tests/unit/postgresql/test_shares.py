"""Named ones and the others: no counter falls, growths add up, and places are kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from closewatch.postgresql.shares import HALF_LIFE, Shares, Work


class Server:
    """A server's statistics, of which the largest `looked` are told one by one, and a closewatch that shows `most`."""

    def __init__(self, most: int = 2, looked: int = 100) -> None:
        self.shares = Shares()
        self.work: dict[str, Work] = {}
        self.most, self.looked = most, looked
        self.at = 0.0

    def do(self, **seconds: float) -> None:
        for name, more in seconds.items():
            self.work[name] = self.work.get(name, Work()) + Work(more, 1)

    def forget(self, *names: str) -> None:
        for name in names:
            self.work.pop(name, None)

    def look(self, after: float = 300.0, member: str = "a", age: float | None = 86_400.0) -> dict[str, float]:
        """Seconds by name, the others as "other"."""
        self.at += after
        largest = sorted(self.work, key=lambda name: (-self.work[name].seconds, name))[: self.looked]
        total = Work(sum(w.seconds for w in self.work.values()), sum(w.calls for w in self.work.values()))
        said = {("db", name): self.work[name] for name in largest}
        self.shares.update(said, total, member=member, at=self.at, age=age, most=self.most)
        shown = {name: work.seconds for (_, name), work in self.shares.shown.items()}
        return {**shown, "other": self.shares.other.seconds}


def test_all_begin_with_nothing_and_the_largest_are_shown():
    server = Server()
    server.do(a=100, b=50, c=10)
    assert server.look() == {"a": 0, "b": 0, "other": 0}


def test_growth_goes_to_its_own_and_the_rest_to_the_others():
    server = Server()
    server.do(a=100, b=50, c=10, d=1)
    server.look()
    server.do(a=3, c=2, d=1, new=1)
    assert server.look() == {"a": 3, "b": 0, "other": 4}


def test_who_enters_begins_with_nothing_and_what_it_did_stays_with_the_others():
    server = Server()
    server.do(a=100, b=50)
    server.look()
    server.do(c=500)
    assert server.look() == {"a": 0, "c": 0, "other": 500}
    server.do(c=1)
    assert server.look() == {"a": 0, "c": 1, "other": 500}


def test_a_place_is_kept_until_another_took_twice_as_much():
    server = Server(most=1)
    server.do(a=10)
    server.look(age=10)
    for _ in range(20):
        server.do(a=10, b=15)
        assert "a" in server.look()
    for _ in range(40):
        server.do(a=10, b=50)
        seen = server.look()
    assert "b" in seen


def test_what_cost_much_long_ago_gives_its_place_to_what_costs_now():
    server = Server(most=1)
    server.do(old=1e6)
    server.look(age=3e7)
    for _ in range(24):
        server.do(new=60)
        seen = server.look(after=HALF_LIFE)
    assert "new" in seen


def test_a_statement_that_was_forgotten_and_came_back_counts_anew():
    server = Server()
    server.do(a=100, b=50)
    server.look()
    server.do(a=5)
    server.look()
    server.forget("a")
    server.work["a"] = Work(2, 0.5)
    assert server.look()["a"] == 7


def test_a_reset_of_everything_takes_nothing_back():
    server = Server()
    server.do(a=100, b=50, c=70)
    server.look()
    server.do(a=5, c=3)
    before = server.look()
    server.forget("a", "b", "c")
    after = server.look()
    assert after == {"other": before["other"]}


def test_another_member_adds_nothing_and_takes_nothing():
    server = Server()
    server.do(a=100, b=50)
    server.look()
    server.do(a=5)
    before = server.look()
    server.do(a=900, b=900, c=900)
    assert server.look(member="b")["a"] == before["a"] == 5
    server.do(a=1)
    assert server.look(member="b")["a"] == 6


def test_what_falls_out_of_the_looked_at_is_not_counted_twice():
    server = Server(most=1, looked=2)
    server.do(a=100, b=10, c=9, d=1)
    server.look()
    for _ in range(6):
        server.do(c=2)
        server.look()
        server.do(b=2)
        seen = server.look()
    assert seen == {"a": 0, "other": 24}


names = st.sampled_from("abcdefgh")
steps = st.lists(st.tuples(names, st.integers(1, 1000), st.booleans()), min_size=1, max_size=60)


@given(steps, st.integers(1, 4), st.integers(4, 8))
def test_no_counter_falls_and_all_growth_is_there(work, most, looked):
    """Without evictions the sum of all growths is what the server did, whoever enters and leaves."""
    server = Server(most=most, looked=looked)
    server.do(a=1, b=1, c=1, d=1, e=1, f=1, g=1, h=1)
    before = server.look()
    grown = done = 0.0
    for name, seconds, look in work:
        server.do(**{name: seconds})
        done += seconds
        if look:
            now = server.look()
            for key, value in now.items():
                assert value >= before.get(key, 0.0)
                grown += value - before.get(key, 0.0)
            before = now
    now = server.look()
    grown += sum(value - before.get(key, 0.0) for key, value in now.items())
    assert grown == done


@given(steps, st.integers(1, 4))
def test_with_evictions_none_is_made_up(work, most):
    server = Server(most=most, looked=4)
    before = server.look()
    grown = done = 0.0
    for name, seconds, forget in work:
        if forget:
            server.forget(name)
        server.do(**{name: seconds})
        done += seconds
        now = server.look()
        assert now["other"] >= before["other"]
        grown += sum(value - before.get(key, 0.0) for key, value in now.items())
        before = now
    assert grown <= done
