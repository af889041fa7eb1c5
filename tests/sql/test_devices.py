"""A key is one user's while its session lasts, and nobody's once it is revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline_sql.devices import Device
from landline_sql.endpoints import Place
from landline_sql.errors import NotLoggedIn, Revoked
from tests.sql.conftest import ADDRESS, join, key, register, rid
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline_sql.store import Store

PLACE = Place("192.0.2.7", 20_001)


def test_a_device_is_nobodys_until_it_logs_in(store: Store) -> None:
    user = register(store, "alice")
    assert store.session(key("alice")) is None
    assert store.login(user, key("alice"), ADDRESS) == store.rules.session
    session = store.session(key("alice"))
    assert session is not None
    assert (session.name, session.port) == ("alice", user.port)


def test_a_session_runs_out(store_with: Callable[..., Store]) -> None:
    store = store_with(session=0.3)
    join(store, "alice")
    assert store.session(key("alice"))
    wait_until(lambda: store.session(key("alice")) is None, "the end of the session")
    with pytest.raises(NotLoggedIn):
        store.publish(key("alice"), PLACE, rid())
    store.login(store.credentials("alice").user, key("alice"), ADDRESS)  # type: ignore[union-attr]
    assert store.session(key("alice"))


def test_logging_out_takes_the_endpoint_and_may_be_repeated(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), PLACE, rid())
    for _ in range(2):
        store.logout(key("alice"), ADDRESS)
    assert store.session(key("alice")) is None
    assert store.who(key("bob"), "alice").state == "offline"


def test_a_user_has_several_devices(store: Store) -> None:
    user = register(store, "alice")
    for number in (1, 2):
        store.login(user, key("alice", number), ADDRESS)
    store.logout(key("alice", 1), ADDRESS)
    assert store.devices("alice") == [
        Device(key("alice", 1), logged_in=False, revoked=False),
        Device(key("alice", 2), logged_in=True, revoked=False),
    ]
    assert store.devices("nobody") == []


def test_another_users_login_takes_the_device_over(store: Store) -> None:
    join(store, "alice", "bob", "carol")
    store.publish(key("alice"), PLACE, rid())
    store.claim(key("bob"), "alice", rid())
    carol = store.credentials("carol")
    assert carol is not None
    store.login(carol.user, key("alice"), ADDRESS)
    session = store.session(key("alice"))
    assert session is not None
    assert session.name == "carol"
    assert [entry.state for entry in store.page(key("bob"), "", 9)] == ["offline"] * 3


def test_the_same_users_login_leaves_the_endpoint(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), PLACE, rid())
    store.login(store.credentials("alice").user, key("alice"), ADDRESS)  # type: ignore[union-attr]
    assert store.who(key("bob"), "alice").state == "waiting"


def test_a_revoked_device_is_out_for_good(store: Store) -> None:
    join(store, "alice", "bob")
    store.publish(key("alice"), PLACE, rid())
    assert store.revoke(key("alice")) == "alice"
    assert store.session(key("alice")) is None
    assert store.who(key("bob"), "alice").state == "offline"
    for name in ("alice", "bob"):
        known = store.credentials(name)
        assert known is not None
        with pytest.raises(Revoked):
            store.login(known.user, key("alice"), ADDRESS)
    assert store.devices("alice") == [Device(key("alice"), logged_in=False, revoked=True)]


def test_an_unknown_device_cannot_be_revoked(store: Store) -> None:
    assert store.revoke(key("nobody")) is None
