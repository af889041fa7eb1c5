"""The MariaDB fixture gives fresh databases of a server that can go and come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB


def run(url: str, *statements: str) -> list[object]:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            results = [connection.execute(text(statement)) for statement in statements]
            return list(results[-1].scalars()) if results[-1].returns_rows else []
    finally:
        engine.dispose()


@pytest.mark.parametrize("round_number", [1, 2])
def test_each_test_has_an_empty_database(database_url: str, round_number: int) -> None:
    run(database_url, "CREATE TABLE word (text VARCHAR(20))", "INSERT INTO word VALUES ('é👋')")
    assert run(database_url, "SELECT text FROM word") == ["é👋"]


def test_the_server_can_go_away_and_come_back(mariadb: MariaDB, mariadb_url: str) -> None:
    run(mariadb_url, "CREATE TABLE word (text VARCHAR(20))", "INSERT INTO word VALUES ('a')")
    mariadb.stop()
    with pytest.raises(OperationalError):
        run(mariadb_url, "SELECT 1")
    mariadb.start()
    assert run(mariadb_url, "SELECT text FROM word") == ["a"]
