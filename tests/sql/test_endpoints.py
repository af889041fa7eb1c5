"""An endpoint stands while its lease is renewed, and one device has a place at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline_sql.endpoints import Place
from landline_sql.errors import NotLoggedIn, NotWaiting, PortTaken, Unvetted
from tests.sql.conftest import ADDRESS, join, key, rid
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline_sql.store import Store

HERE = Place("", 20_001)
THERE = Place("192.0.2.7", 20_001)


def state(store: Store, name: str = "alice") -> str:
    return store.who(key("bob"), name).state


def test_publishing_waits_until_it_is_taken_back(store: Store) -> None:
    join(store, "alice", "bob")
    assert state(store) == "offline"
    assert store.publish(key("alice"), HERE, rid()) == store.rules.lease
    assert state(store) == "waiting"
    for _ in range(2):
        store.leave(key("alice"))
    assert state(store) == "offline"


def test_a_lease_runs_out_and_comes_back_when_it_is_renewed(
    store_with: Callable[..., Store],
) -> None:
    store = store_with(lease=0.3)
    join(store, "alice", "bob")
    store.publish(key("alice"), HERE, rid())
    assert state(store) == "waiting"
    wait_until(lambda: state(store) == "offline", "the end of the lease")
    assert store.renew(key("alice"), engaged=False, seen="") == HERE
    assert state(store) == "waiting"


def test_a_device_without_an_endpoint_or_a_session_renews_nothing(store: Store) -> None:
    join(store, "alice")
    with pytest.raises(NotWaiting):
        store.renew(key("alice"), engaged=False, seen="")
    for refused in (
        lambda: store.renew(key("bob"), engaged=False, seen=""),
        lambda: store.leave(key("bob")),
        lambda: store.publish(key("bob"), HERE, rid()),
    ):
        with pytest.raises(NotLoggedIn):
            refused()


def test_a_place_is_one_devices(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), HERE, rid())
    with pytest.raises(PortTaken):
        store.publish(key("bob"), HERE, rid())
    store.publish(key("bob"), THERE, rid())
    store.publish(key("alice"), HERE, rid())
    store.leave(key("alice"))
    store.publish(key("bob"), HERE, rid())


def test_a_place_whose_lease_ran_out_is_free(store_with: Callable[..., Store]) -> None:
    store = store_with(lease=0.3)
    join(store, "alice", "bob")
    store.publish(key("alice"), HERE, rid())
    wait_until(lambda: state(store) == "offline", "the end of the lease")
    store.publish(key("bob"), HERE, rid())
    with pytest.raises(NotWaiting):
        store.renew(key("alice"), engaged=False, seen="")


def test_engaged_is_marked_kept_and_ended_by_waiting_again(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), HERE, rid())
    store.renew(key("alice"), engaged=True, seen="")
    assert state(store) == "engaged"
    store.renew(key("alice"), engaged=False, seen="")
    assert state(store) == "engaged"
    store.publish(key("alice"), HERE, rid())
    assert state(store) == "waiting"


def test_waiting_again_ends_the_call(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), HERE, rid())
    store.claim(key("bob"), "alice", rid())
    store.vet(key("alice"), key("bob"))
    assert state(store, "bob") == "engaged"
    store.publish(key("alice"), HERE, rid())
    assert (state(store), state(store, "bob")) == ("waiting", "offline")
    with pytest.raises(Unvetted):
        store.vet(key("alice"), key("bob"))


def test_the_same_wait_again_leaves_a_claim_alone(store: Store) -> None:
    join(store, "alice", "bob")
    request = rid()
    store.publish(key("alice"), HERE, request)
    claim = store.claim(key("bob"), "alice", rid())
    store.publish(key("alice"), HERE, request)
    assert state(store) == "engaged"
    assert store.vet(key("alice"), key("bob")).call == claim.call


def test_a_renewed_call_lasts_and_one_that_is_not_ends_with_the_lease(
    store_with: Callable[..., Store],
) -> None:
    store = store_with(lease=0.3, claim=0.3)
    join(store, "alice", "bob", "carol")
    store.publish(key("alice"), HERE, rid())
    store.claim(key("bob"), "alice", rid())
    store.vet(key("alice"), key("bob"))
    store_with(lease=60.0).renew(key("alice"), engaged=True, seen="")
    # A lease as short as the one that was vetted, to see that time has passed.
    store.publish(key("carol"), THERE, rid())
    wait_until(lambda: state(store, "carol") == "offline", "the end of the other lease")
    assert (state(store), state(store, "bob")) == ("engaged", "engaged")
    store.renew(key("alice"), engaged=True, seen="")
    wait_until(lambda: state(store, "bob") == "offline", "the end of the call")
    assert state(store) == "offline"


def test_a_device_moves_to_another_place(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), HERE, rid())
    store.publish(key("alice"), THERE, rid())
    assert store.claim(key("bob"), "alice", rid()).place == THERE
    store.logout(key("alice"), ADDRESS)


# A device whose address changes.

ELSEWHERE = Place("192.0.2.8", 20_001)


def test_an_observed_host_follows_the_device(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), THERE, rid(), observed=True)
    assert store.renew(key("alice"), engaged=False, seen=ELSEWHERE.host) == ELSEWHERE
    assert store.renew(key("alice"), engaged=False, seen=ELSEWHERE.host) == ELSEWHERE
    assert store.claim(key("bob"), "alice", rid()).place == ELSEWHERE


def test_a_host_that_the_device_named_stays(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), THERE, rid(), observed=True)
    store.publish(key("alice"), THERE, rid())
    assert store.renew(key("alice"), engaged=True, seen=ELSEWHERE.host) == THERE


def test_a_move_keeps_the_claim_and_tells_its_caller(store: Store) -> None:
    join(store, "alice", "bob")
    request = rid()
    store.publish(key("alice"), THERE, rid(), observed=True)
    claim = store.claim(key("bob"), "alice", request)
    store.renew(key("alice"), engaged=False, seen=ELSEWHERE.host)
    again = store.claim(key("bob"), "alice", request)
    assert (again.call, again.place) == (claim.call, ELSEWHERE)
    assert store.vet(key("alice"), key("bob")).call == claim.call


def test_the_same_wait_again_from_elsewhere_moves_and_leaves_the_claim(store: Store) -> None:
    join(store, "alice", "bob")
    request = rid()
    store.publish(key("alice"), THERE, request, observed=True)
    claim = store.claim(key("bob"), "alice", rid())
    store.publish(key("alice"), ELSEWHERE, request, observed=True)
    assert store.renew(key("alice"), engaged=False, seen=ELSEWHERE.host) == ELSEWHERE
    assert store.vet(key("alice"), key("bob")).call == claim.call


def test_a_device_does_not_move_to_a_place_that_is_taken(
    store_with: Callable[..., Store],
) -> None:
    store = store_with(lease=0.4)
    join(store, "alice", "bob")
    store_with(lease=60.0).publish(key("alice"), THERE, rid(), observed=True)
    store.publish(key("bob"), ELSEWHERE, rid())
    with pytest.raises(PortTaken):
        store.renew(key("alice"), engaged=True, seen=ELSEWHERE.host)
    assert state(store) == "waiting"
    wait_until(lambda: state(store, "bob") == "offline", "the end of the other lease")
    assert store.renew(key("alice"), engaged=True, seen=ELSEWHERE.host) == ELSEWHERE
    with pytest.raises(NotWaiting):
        store.renew(key("bob"), engaged=False, seen="")


def test_a_device_that_starts_again_waits_at_once_though_it_was_engaged(store: Store) -> None:
    join(store, "alice", "bob", "carol")
    store.publish(key("alice"), THERE, rid(), observed=True)
    store.claim(key("bob"), "alice", rid())
    store.vet(key("alice"), key("bob"))
    store.renew(key("alice"), engaged=True, seen=THERE.host)
    for place in (THERE, ELSEWHERE):
        store.publish(key("alice"), place, rid(), observed=True)
        assert state(store) == "waiting"
    assert store.claim(key("carol"), "alice", rid()).place == ELSEWHERE
