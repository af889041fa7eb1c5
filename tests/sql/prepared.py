"""A database with its tables and nothing in them, for each test, on SQLite and on MariaDB.

Making tables takes MariaDB a fifth of a second, so there they are made once and emptied
before each test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from landline_sql import schema
from landline_sql.database import Database, parse_url
from landline_sql.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from tests.support.mariadb import MariaDB


@pytest.fixture(scope="session")
def mariadb_tables(mariadb: MariaDB) -> Iterator[str]:
    """The URL of one MariaDB database with its tables."""
    with mariadb.database() as url:
        _run(url, schema.create)
        yield url


@pytest.fixture
def empty_mariadb(mariadb_tables: str) -> str:
    """The URL of a MariaDB database whose tables are empty."""
    _run(mariadb_tables, _empty)
    return mariadb_tables


@pytest.fixture
def empty_sqlite(sqlite_url: str) -> str:
    """The URL of an SQLite file whose tables are empty."""
    _run(sqlite_url, schema.create)
    return sqlite_url


@pytest.fixture(
    params=[
        pytest.param("sqlite", id="sqlite"),
        pytest.param("mariadb", id="mariadb", marks=pytest.mark.mariadb),
    ]
)
def tables_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database whose tables are empty: each test runs on both."""
    url: str = request.getfixturevalue(f"empty_{request.param}")
    return url


def _run(url: str, work: Callable[[Connection], None]) -> None:
    database = Database(parse_url(url))
    try:
        with database.engine.connect() as connection:
            work(connection)
    finally:
        database.close()


def _empty(connection: Connection) -> None:
    for table in reversed(metadata.sorted_tables):
        connection.execute(text(f"DELETE FROM {table.name}"))
