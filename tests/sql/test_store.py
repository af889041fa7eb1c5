"""Sweeping deletes what expired long ago and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from landline_sql.clock import now
from landline_sql.endpoints import Place
from landline_sql.store import Store
from landline_sql.tables import audit, calls, endpoints, throttle
from tests.sql.conftest import ADDRESS, join, key, rid

if TYPE_CHECKING:
    from landline_sql.database import Database

TABLES = (endpoints, calls, throttle, audit)


def counts(database: Database) -> list[int]:
    return [
        database.read(lambda c, t=table: c.execute(select(func.count()).select_from(t)).scalar())  # type: ignore[misc]
        for table in TABLES
    ]


def age(database: Database, column: Any, seconds: float) -> None:
    statement = update(column.table).values({column: now() - seconds})
    database.write(lambda c: c.execute(statement))


def test_sweeping_leaves_what_still_counts(database: Database) -> None:
    with Store(database) as store:
        join(store, "alice", "bob")
        store.publish(key("alice"), Place("", 20_001), rid())
        store.claim(key("bob"), "alice", rid())
        store.denied("bob", ADDRESS)
        before = counts(database)
        store.sweep()
        assert counts(database) == before
        age(database, endpoints.c.lease_until, 601)
        age(database, calls.c.expires_at, 601)
        age(database, throttle.c.at, 25 * 3600)
        age(database, audit.c.at, 91 * 24 * 3600)
        store.sweep()
        assert counts(database) == [0, 0, 0, 0]
        assert store.session(key("alice")) is not None


def test_a_vetted_call_lives_as_long_as_the_endpoint_that_is_engaged_by_it(
    database: Database,
) -> None:
    with Store(database) as store:
        join(store, "alice", "bob")
        store.publish(key("alice"), Place("", 20_001), rid())
        claim = store.claim(key("bob"), "alice", rid())
        store.vet(key("alice"), key("bob"))
        age(database, calls.c.expires_at, 24 * 3600)
        store.sweep()
        assert store.resume(key("bob"), "alice").call == claim.call
        store.renew(key("alice"), engaged=True, seen="")
        age(database, endpoints.c.lease_until, 601)
        age(database, calls.c.expires_at, 601)
        store.sweep()
        assert counts(database)[:2] == [0, 0]
