"""The roll lists every user once, by name, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline_sql.endpoints import Place
from landline_sql.errors import NotLoggedIn, UnknownUser
from landline_sql.roll import Entry
from tests.sql.conftest import ADDRESS, join, key, register, rid

if TYPE_CHECKING:
    from landline_sql.store import Store

NAMES = ["a-b", "a.b", "a0", "a_b", "ab", "b"]


def test_pages_follow_each_other_octet_by_octet(store: Store) -> None:
    join(store, *reversed(NAMES))
    listed, after = [], ""
    while page := store.page(key("b"), after, 2):
        listed += [entry.name for entry in page]
        after = listed[-1]
    assert listed == sorted(NAMES)


def test_any_text_may_be_where_a_page_begins(store: Store) -> None:
    join(store, "alice")
    for after in ("", "ALICE", "é", "\0", "%", "' OR 1"):
        assert len(store.page(key("alice"), after, 9)) == (0 if after == "é" else 1)


def test_only_who_is_logged_in_is_told(store: Store) -> None:
    register(store, "alice")
    with pytest.raises(NotLoggedIn):
        store.page(key("alice"), "", 9)
    with pytest.raises(NotLoggedIn):
        store.who(key("alice"), "alice")


def test_one_user_by_name(store: Store) -> None:
    join(store, "alice")
    assert store.who(key("alice"), "alice") == Entry("alice", "offline")
    with pytest.raises(UnknownUser):
        store.who(key("alice"), "bob")


def test_waiting_comes_before_engaged(store: Store) -> None:
    join(store, "alice")
    alice = store.credentials("alice")
    assert alice is not None
    store.login(alice.user, key("alice", 2), ADDRESS)
    store.publish(key("alice", 1), Place("", 20_001), rid())
    store.renew(key("alice", 1), engaged=True, seen="")
    assert store.who(key("alice"), "alice").state == "engaged"
    store.publish(key("alice", 2), Place("", 20_002), rid())
    assert store.who(key("alice"), "alice").state == "waiting"
