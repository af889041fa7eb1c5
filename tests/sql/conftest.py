"""A store on a fresh database, and users to fill it with."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from landline_sql.database import Database, parse_url
from landline_sql.store import Rules, Store
from tests.sql.prepared import (  # fixtures
    empty_mariadb,
    empty_sqlite,
    mariadb_tables,
    tables_url,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from landline_sql.users import User

__all__ = ["empty_mariadb", "empty_sqlite", "mariadb_tables", "tables_url"]

ADDRESS = "192.0.2.7"
HASH = b"$2b$04$" + b"." * 53


def rid() -> bytes:
    """Return a request id that no other request has."""
    return secrets.token_bytes(16)


def key(name: str, number: int = 1) -> bytes:
    """Return the key of a user's device."""
    return f"{name}-{number}".encode().ljust(32, b"\0")


@pytest.fixture
def database(tables_url: str) -> Iterator[Database]:
    """A database with its tables, empty."""
    database = Database(parse_url(tables_url))
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the rules of every day."""
    return Store(database)


@pytest.fixture
def store_with(database: Database) -> Callable[..., Store]:
    """A store with some other rules."""
    return lambda **rules: Store(database, Rules(**rules))


def register(store: Store, name: str) -> User:
    """Make a user."""
    return store.register(name, HASH, key(name), rid(), ADDRESS)


def join(store: Store, *names: str) -> None:
    """Make users, each logged in on its first device."""
    for name in names:
        store.login(register(store, name), key(name), ADDRESS)
