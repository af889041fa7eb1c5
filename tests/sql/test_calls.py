"""Of any number of callers one gets the endpoint, and only that one is vetted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from landline_sql.endpoints import Place
from landline_sql.errors import (
    Engaged,
    NoCall,
    NotLoggedIn,
    Offline,
    SelfCall,
    TooManyClaims,
    UnknownUser,
    Unvetted,
)
from landline_sql.throttle import Penalty
from tests.sql.conftest import ADDRESS, join, key, rid
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline_sql.calls import Claim
    from landline_sql.store import Store

HERE = Place("192.0.2.7", 20_001)


def waiting(store: Store, *names: str) -> None:
    join(store, *names)
    store.publish(key(names[0]), HERE, rid())


def test_a_caller_is_told_where_and_who(store: Store) -> None:
    waiting(store, "alice", "bob")
    claim = store.claim(key("bob"), "alice", rid())
    assert (claim.name, claim.place, claim.key) == ("alice", HERE, key("alice"))
    assert len(claim.call) == 16
    assert 0 < claim.expires <= store.rules.claim
    assert store.who(key("bob"), "alice").state == "engaged"
    assert store.who(key("alice"), "bob").state == "offline"


def test_the_same_request_gets_the_same_claim_and_another_is_told_engaged(store: Store) -> None:
    waiting(store, "alice", "bob", "carol")
    request = rid()
    claim = store.claim(key("bob"), "alice", request)
    again = store.claim(key("bob"), "alice", request)
    assert (again.call, again.place) == (claim.call, claim.place)
    assert again.expires <= claim.expires
    for device, other in ((key("bob"), rid()), (key("carol"), request)):
        with pytest.raises(Engaged):
            store.claim(device, "alice", other)


def test_what_cannot_be_called(store: Store) -> None:
    join(store, "alice", "bob")
    for name, why in (
        ("alice", SelfCall),
        ("zoe", UnknownUser),
        ("bob", Offline),
        ("", UnknownUser),
    ):
        with pytest.raises(why):
            store.claim(key("alice"), name, rid())
    with pytest.raises(NotLoggedIn):
        store.claim(key("stranger"), "bob", rid())


def test_a_user_in_a_call_of_its_own_is_engaged(store: Store) -> None:
    waiting(store, "alice", "bob", "carol")
    store.claim(key("bob"), "alice", rid())
    store.vet(key("alice"), key("bob"))
    with pytest.raises(Engaged):
        store.claim(key("carol"), "bob", rid())


def test_each_waiting_device_of_a_user_can_be_claimed(store: Store) -> None:
    waiting(store, "alice", "bob", "carol")
    alice = store.credentials("alice")
    assert alice is not None
    store.login(alice.user, key("alice", 2), ADDRESS)
    store.publish(key("alice", 2), Place("", 20_002), rid())
    reached = {store.claim(key(name), "alice", rid()).key for name in ("bob", "carol")}
    assert reached == {key("alice", 1), key("alice", 2)}
    with pytest.raises(Engaged):
        store.claim(key("carol"), "alice", rid())


def test_a_claim_that_nobody_vets_frees_itself(store_with: Callable[..., Store]) -> None:
    store = store_with(claim=0.3)
    waiting(store, "alice", "bob", "carol")
    request = rid()
    first = store.claim(key("bob"), "alice", request)
    assert store.who(key("bob"), "alice").state == "engaged"
    wait_until(lambda: store.who(key("bob"), "alice").state == "waiting", "the end of the claim")
    with pytest.raises(Unvetted):
        store.vet(key("alice"), key("bob"))
    second = store.claim(key("carol"), "alice", rid())
    assert second.call != first.call
    with pytest.raises(Engaged):
        store.claim(key("bob"), "alice", request)
    assert store.vet(key("alice"), key("carol")).name == "carol"


def test_a_request_whose_claim_ran_out_claims_anew(store_with: Callable[..., Store]) -> None:
    store = store_with(claim=0.2)
    waiting(store, "alice", "bob")
    request = rid()
    first = store.claim(key("bob"), "alice", request)
    wait_until(lambda: store.who(key("bob"), "alice").state == "waiting", "the end of the claim")
    assert store.claim(key("bob"), "alice", request).call != first.call


def test_only_the_caller_is_vetted_and_only_at_the_endpoint_it_claimed(store: Store) -> None:
    waiting(store, "alice", "bob", "carol")
    store.publish(key("carol"), Place("", 20_002), rid())
    claim = store.claim(key("bob"), "alice", rid())
    for device, knocks in (("alice", "carol"), ("carol", "bob"), ("bob", "bob"), ("bob", "alice")):
        with pytest.raises(Unvetted):
            store.vet(key(device), key(knocks))
    with pytest.raises(NotLoggedIn):
        store.vet(key("stranger"), key("bob"))
    for _ in range(2):
        caller = store.vet(key("alice"), key("bob"))
        assert (caller.call, caller.name) == (claim.call, "bob")


def test_a_vetted_call_outlives_the_claim(store_with: Callable[..., Store]) -> None:
    store = store_with(claim=0.2)
    waiting(store, "alice", "bob", "carol")
    store.claim(key("bob"), "alice", rid())
    store.vet(key("alice"), key("bob"))
    store.publish(key("carol"), Place("", 20_002), rid())
    store.claim(key("alice"), "carol", rid())
    wait_until(lambda: store.who(key("bob"), "carol").state == "waiting", "the other claim's end")
    assert store.who(key("bob"), "alice").state == "engaged"
    assert store.vet(key("alice"), key("bob")).name == "bob"


def test_renewing_never_changes_a_claim(store_with: Callable[..., Store]) -> None:
    store = store_with(claim=0.3)
    waiting(store, "alice", "bob")
    store.claim(key("bob"), "alice", rid())
    store.renew(key("alice"), engaged=False, seen="")
    assert store.who(key("bob"), "alice").state == "engaged"
    wait_until(lambda: store.who(key("bob"), "alice").state == "waiting", "the end of the claim")


def test_of_fifty_callers_one_gets_the_endpoint(store: Store) -> None:
    callers = [f"caller{number}" for number in range(50)]
    waiting(store, "alice", *callers)
    together = threading.Barrier(10)

    def several(names: list[str]) -> list[bool]:
        together.wait(10)
        try:
            return [call(name) for name in names]
        finally:
            store.release()

    def call(name: str) -> bool:
        try:
            store.claim(key(name), "alice", rid())
        except Engaged:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        got = list(pool.map(several, [callers[n::10] for n in range(10)]))
    assert sum(map(sum, got)) == 1


def test_one_request_that_comes_twice_at_once_makes_one_claim(store: Store) -> None:
    waiting(store, "alice", "bob")
    request = rid()
    together = threading.Barrier(6)

    def call(_: int) -> bytes:
        together.wait(10)
        try:
            return store.claim(key("bob"), "alice", request).call
        finally:
            store.release()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(call, range(6)))) == 1


# Finding a callee again.


def in_a_call(store: Store) -> Claim:
    waiting(store, "alice", "bob", "carol")
    claim = store.claim(key("bob"), "alice", rid())
    store.vet(key("alice"), key("bob"))
    store.renew(key("alice"), engaged=True, seen="")
    return claim


def test_a_caller_finds_its_engaged_callee_and_changes_nothing(store: Store) -> None:
    claim = in_a_call(store)
    for _ in range(2):
        found = store.resume(key("bob"), "alice")
        assert (found.call, found.name, found.place, found.key) == (
            claim.call,
            "alice",
            HERE,
            key("alice"),
        )
        assert 0 < found.expires <= store.rules.lease
        assert store.who(key("carol"), "alice").state == "engaged"
    assert store.vet(key("alice"), key("bob")).call == claim.call


def test_a_caller_is_told_where_its_callee_has_moved(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), HERE, rid(), observed=True)
    store.claim(key("bob"), "alice", rid())
    store.vet(key("alice"), key("bob"))
    store.renew(key("alice"), engaged=True, seen="192.0.2.8")
    assert store.resume(key("bob"), "alice").place == Place("192.0.2.8", HERE.port)


def test_only_the_device_in_the_call_finds_the_callee(store: Store) -> None:
    in_a_call(store)
    bob = store.credentials("bob")
    assert bob is not None
    store.login(bob.user, key("bob", 2), ADDRESS)
    for device in (key("bob", 2), key("carol")):
        with pytest.raises(NoCall):
            store.resume(device, "alice")
    with pytest.raises(NotLoggedIn):
        store.resume(key("stranger"), "alice")


def test_a_callee_does_not_find_its_caller(store: Store) -> None:
    in_a_call(store)
    with pytest.raises(NoCall):
        store.resume(key("alice"), "bob")


def test_who_cannot_be_found_again(store: Store) -> None:
    waiting(store, "alice", "bob")
    for device, name, why in (
        ("bob", "alice", NoCall),
        ("alice", "bob", Offline),
        ("alice", "alice", SelfCall),
        ("alice", "zoe", UnknownUser),
    ):
        with pytest.raises(why):
            store.resume(key(device), name)


def test_a_claim_that_nobody_vetted_finds_nothing(store: Store) -> None:
    waiting(store, "alice", "bob")
    store.claim(key("bob"), "alice", rid())
    store.renew(key("alice"), engaged=True, seen="")
    with pytest.raises(NoCall):
        store.resume(key("bob"), "alice")


def test_a_call_that_its_callee_has_ended_finds_nothing(store: Store) -> None:
    in_a_call(store)
    store.publish(key("alice"), HERE, rid())
    with pytest.raises(NoCall):
        store.resume(key("bob"), "alice")
    store.leave(key("alice"))
    with pytest.raises(Offline):
        store.resume(key("bob"), "alice")


def test_the_call_vetted_last_is_the_one_that_is_found(store: Store) -> None:
    in_a_call(store)
    alice = store.credentials("alice")
    assert alice is not None
    store.login(alice.user, key("alice", 2), ADDRESS)
    store.publish(key("alice", 2), Place("192.0.2.9", 20_001), rid())
    store.claim(key("bob"), "alice", rid())
    assert store.resume(key("bob"), "alice").key == key("alice")
    store.vet(key("alice", 2), key("bob"))
    assert store.resume(key("bob"), "alice").key == key("alice", 2)


def test_a_callee_whose_lease_ran_out_is_offline_until_it_renews(
    store_with: Callable[..., Store],
) -> None:
    store = store_with(lease=0.4)
    claim = in_a_call(store)
    wait_until(lambda: store.who(key("carol"), "alice").state == "offline", "the lease's end")
    with pytest.raises(Offline):
        store.resume(key("bob"), "alice")
    store_with(lease=60.0).renew(key("alice"), engaged=True, seen="")
    assert store.resume(key("bob"), "alice").call == claim.call


# Callers that claim and do not come.


def lapse(store: Store, caller: str) -> None:
    store.claim(key(caller), "alice", rid())
    wait_until(lambda: store.who(key("carol"), "alice").state == "waiting", "the claim's end")


def test_who_claims_again_and_again_unvetted_is_throttled_for_this_callee(
    store_with: Callable[..., Store],
) -> None:
    store = store_with(claim=0.1)
    waiting(store, "alice", "bob", "carol")
    bob = store.credentials("bob")
    assert bob is not None
    for _ in range(3):
        lapse(store, "bob")
        store.logout(key("bob"), ADDRESS)
        store.login(bob.user, key("bob"), ADDRESS)
        store.publish(key("alice"), HERE, rid())
    with pytest.raises(TooManyClaims) as caught:
        store.claim(key("bob"), "alice", rid())
    assert 50 < caught.value.seconds <= 60
    store.publish(key("carol"), Place("192.0.2.9", 20_001), rid())
    assert store.claim(key("bob"), "carol", rid()).name == "carol"
    assert store.claim(key("carol"), "alice", rid()).name == "alice"


def test_the_third_claim_is_given_again_to_its_own_request_and_may_be_vetted(
    store_with: Callable[..., Store],
) -> None:
    store = store_with(claim=0.1)
    waiting(store, "alice", "bob", "carol")
    lapse(store, "bob")
    lapse(store, "bob")
    patient, request = store_with(), rid()
    claim = patient.claim(key("bob"), "alice", request)
    assert patient.claim(key("bob"), "alice", request).call == claim.call
    assert patient.vet(key("alice"), key("bob")).call == claim.call
    store.publish(key("alice"), HERE, rid())
    assert patient.claim(key("bob"), "alice", rid()).call != claim.call


def test_a_throttled_caller_may_call_after_the_time_that_was_said(
    store_with: Callable[..., Store],
) -> None:
    store = store_with(claim=0.1, claim_penalty=Penalty(1, window=600, first=0.5, longest=0.5))
    waiting(store, "alice", "bob", "carol")
    lapse(store, "bob")
    with pytest.raises(TooManyClaims):
        store.claim(key("bob"), "alice", rid())

    def through() -> bool:
        try:
            store.claim(key("bob"), "alice", rid())
        except TooManyClaims:
            return False
        return True

    wait_until(through, "the end of the penalty")
