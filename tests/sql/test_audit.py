"""The audit trail names what happened, who and from where, and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sql.conftest import ADDRESS, join, key

if TYPE_CHECKING:
    from landline_sql.store import Store


def test_it_holds_one_entry_for_each_event(store: Store) -> None:
    join(store, "alice")
    store.denied("nobody", ADDRESS)
    store.logout(key("alice"), ADDRESS)
    store.logout(key("alice"), ADDRESS)
    store.revoke(key("alice"))
    assert store.audit() == [
        ("registered", "alice", ADDRESS),
        ("logged-in", "alice", ADDRESS),
        ("denied", "nobody", ADDRESS),
        ("logged-out", "alice", ADDRESS),
        ("revoked", "alice", ""),
    ]
