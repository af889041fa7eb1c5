"""Failures block an account at one address, ever longer, and nobody elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline_sql.throttle import Penalty
from tests.sql.conftest import ADDRESS, join, key, register
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline_sql.store import Store

ELSEWHERE = "2001:db8::1"


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (4, 0), (5, 2), (6, 4), (9, 32), (14, 900), (10**9, 900)]
)
def test_each_failure_doubles_the_time_up_to_the_longest(failures: int, seconds: float) -> None:
    assert Penalty(5, window=900, first=2, longest=900).seconds(failures) == seconds


def test_an_account_is_blocked_at_one_address_only(store: Store) -> None:
    for _ in range(5):
        assert store.login_blocked("alice", ADDRESS) == 0
        store.denied("alice", ADDRESS)
    assert 1 < store.login_blocked("alice", ADDRESS) <= 2
    assert store.login_blocked("alice", ELSEWHERE) == 0
    assert store.login_blocked("bob", ADDRESS) == 0


def test_an_address_that_tries_many_names_is_blocked(store: Store) -> None:
    for number in range(20):
        store.denied(f"user{number}", ADDRESS)
    assert store.login_blocked("alice", ADDRESS) > 1
    assert store.login_blocked("alice", ELSEWHERE) == 0


def test_a_login_forgives_the_account_but_not_the_address(store: Store) -> None:
    join(store, "alice")
    for _ in range(2):
        for _ in range(4):
            store.denied("alice", ADDRESS)
        known = store.credentials("alice")
        assert known is not None
        store.login(known.user, key("alice"), ADDRESS)
    assert store.login_blocked("alice", ADDRESS) == 0
    for _ in range(12):
        store.denied("other", ADDRESS)
    assert store.login_blocked("alice", ADDRESS) > 0


def test_failures_are_forgotten_after_the_window(store_with: Callable[..., Store]) -> None:
    store = store_with(account_penalty=Penalty(2, window=0.2, first=0.2, longest=0.2))
    store.denied("alice", ADDRESS)
    store.denied("alice", ADDRESS)
    assert store.login_blocked("alice", ADDRESS) > 0
    wait_until(lambda: store.login_blocked("alice", ADDRESS) == 0, "the end of the block")
    store.denied("alice", ADDRESS)
    assert store.login_blocked("alice", ADDRESS) == 0


def test_an_address_registers_so_many_an_hour(store_with: Callable[..., Store]) -> None:
    penalty = Penalty(3, window=3600, first=3600, longest=3600, sliding=False)
    store = store_with(register_penalty=penalty)
    for name in ("alice", "bob", "carol"):
        assert store.register_blocked(ADDRESS) == 0
        register(store, name)
    assert 3590 < store.register_blocked(ADDRESS) <= 3600
    assert store.register_blocked(ELSEWHERE) == 0
