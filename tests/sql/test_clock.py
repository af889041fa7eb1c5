"""The database's clock counts seconds in UTC, whatever the zone of the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import select

from landline_sql.clock import now

if TYPE_CHECKING:
    from landline_sql.database import Database


def read(database: Database) -> float:
    return float(database.read(lambda c: c.execute(select(now())).scalar_one()))


def test_it_agrees_with_this_machine_and_moves_on(database: Database) -> None:
    before = read(database)
    assert abs(before - time.time()) < 5
    while (after := read(database)) == before:
        pass
    assert after > before


def test_it_is_the_same_throughout_one_statement(database: Database) -> None:
    first, second = database.read(lambda c: c.execute(select(now(), now())).one())
    assert first == second
