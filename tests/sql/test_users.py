"""A name and a port belong to one user; a repeated registration changes nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from landline_sql.errors import NameTaken
from tests.sql.conftest import ADDRESS, HASH, key, register, rid

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline_sql.store import Store
    from landline_sql.users import User


def test_a_user_gets_a_port_of_the_range(store: Store) -> None:
    user = register(store, "alice")
    assert user.name == "alice"
    assert user.port in store.rules.ports


def test_the_same_request_gets_the_same_user(store: Store) -> None:
    request = rid()
    first = store.register("alice", HASH, key("alice"), request, ADDRESS)
    assert store.registered("alice", key("alice"), request) == first
    assert store.register("alice", HASH, key("alice"), request, ADDRESS) == first


def test_another_request_or_another_device_finds_the_name_taken(store: Store) -> None:
    request = rid()
    store.register("alice", HASH, key("alice"), request, ADDRESS)
    for device, again in ((key("alice"), rid()), (key("mallory"), request)):
        with pytest.raises(NameTaken):
            store.registered("alice", device, again)
        with pytest.raises(NameTaken):
            store.register("alice", HASH, device, again, ADDRESS)


def test_a_free_name_is_nobodys(store: Store) -> None:
    assert store.registered("alice", key("alice"), rid()) is None
    assert store.credentials("alice") is None


def test_the_hash_comes_back_and_stays_out_of_the_repr(store: Store) -> None:
    user = register(store, "alice")
    found = store.credentials("alice")
    assert found is not None
    assert (found.user, found.hash) == (user, HASH)
    assert "$2b$" not in repr(found)
    store.rehash(user, HASH.replace(b"04", b"05"))
    renewed = store.credentials("alice")
    assert renewed is not None
    assert renewed.hash == HASH.replace(b"04", b"05")


def test_a_range_is_used_to_its_last_port(store_with: Callable[..., Store]) -> None:
    store = store_with(ports=range(20_000, 20_040))
    ports = [register(store, f"user{number}").port for number in range(42)]
    assert sorted(port for port in ports if port is not None) == list(range(20_000, 20_040))
    assert ports[-2:] == [None, None]


def test_users_who_register_at_once_get_different_ports(
    store_with: Callable[..., Store],
) -> None:
    store = store_with(ports=range(20_000, 20_016))
    together = threading.Barrier(8)

    def several(number: int) -> list[User]:
        together.wait(10)
        users = [register(store, f"user{number}-{again}") for again in range(2)]
        store.release()
        return users

    with ThreadPoolExecutor(8) as pool:
        users = [user for some in pool.map(several, range(8)) for user in some]
    assert len({user.port for user in users} - {None}) == 16


def test_one_name_is_given_once(store: Store) -> None:
    together = threading.Barrier(6)

    def one(number: int) -> bool:
        together.wait(10)
        try:
            store.register("alice", HASH, key("alice", number), rid(), ADDRESS)
        except NameTaken:
            return False
        else:
            return True
        finally:
            store.release()

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(one, range(6))) == [False] * 5 + [True]
