"""However the tables came to be, they are the same; anybody may make them at once."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from landline_sql import schema
from landline_sql.database import Database, parse_url
from landline_sql.errors import SchemaError, Unavailable
from landline_sql.tables import endpoints, metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIGRATE = """
import sys
from landline_sql import schema
from landline_sql.database import Database, parse_url
database = Database(parse_url(sys.argv[1]), schema.PATIENCE_S)
sys.stdin.read()
schema.migrate(database.engine)
assert schema.is_current(database.engine)
database.close()
"""


# A row of the first version in each table that an endpoint needs.
FIRST = (
    "INSERT INTO users VALUES (1, 'alice', '', 20001, 'rrrrrrrrrrrrrrrr', '', 0.0)",
    "INSERT INTO devices VALUES (1, 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk', 1, 9e9, NULL)",
    "INSERT INTO endpoints VALUES (1, 1, '192.0.2.7', 20001, 'waiting', 9e9, NULL, NULL, '')",
)


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """A database without tables."""
    database = Database(parse_url(database_url))
    yield database
    database.close()


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", "landline_sql:migrations")
    config.set_main_option("path_separator", "os")
    return config


def difference(database: Database) -> object:
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def test_a_new_database_is_made_current_and_stays_so(empty: Database) -> None:
    assert not schema.is_current(empty.engine)
    schema.migrate(empty.engine)
    schema.migrate(empty.engine)
    assert schema.is_current(empty.engine)
    assert difference(empty) == []


def test_the_migrations_lead_to_the_tables_of_this_version(empty: Database) -> None:
    with empty.engine.connect() as connection:
        schema.upgrade(connection)
    assert schema.is_current(empty.engine)
    assert difference(empty) == []


def test_what_an_earlier_version_has_published_stays_where_it_is(empty: Database) -> None:
    with empty.engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in FIRST:
            connection.execute(text(statement))
        assert not schema.is_current(empty.engine)
        schema.migrate(empty.engine)
        rows = connection.execute(select(endpoints.c.host, endpoints.c.observed)).all()
    assert rows == [("192.0.2.7", False)]
    assert difference(empty) == []


def test_the_newest_migration_is_the_one_that_is_asked_for() -> None:
    assert ScriptDirectory.from_config(configuration()).get_heads() == [schema.HEAD]


def test_the_short_way_of_a_new_file_makes_what_the_migrations_make(tmp_path: Path) -> None:
    made = []
    for way in (schema.create, schema.upgrade):
        database = Database(parse_url(f"sqlite:///{tmp_path / way.__name__}"))
        with database.engine.connect() as connection:
            way(connection)
            rows = connection.execute(text("SELECT name, sql FROM sqlite_master ORDER BY name"))
            made.append([(name, " ".join((sql or "").split())) for name, sql in rows])
        database.close()
    assert made[0] == made[1]


def test_a_file_with_some_of_the_tables_takes_the_long_way(sqlite_url: str) -> None:
    database = Database(parse_url(sqlite_url))
    with database.engine.connect() as connection:
        schema.upgrade(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(SchemaError, match="later version"):
        schema.migrate(database.engine)
    database.close()


@pytest.mark.slow
def test_many_make_the_tables_at_once(empty: Database, database_url: str) -> None:
    begun = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, database_url], stdin=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in begun:
        process.communicate(timeout=30)
    assert [process.returncode for process in begun] == [0] * 4
    assert difference(empty) == []


def test_a_file_that_is_no_database_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("not a database, but long enough to be looked at" * 50)
    database = Database(parse_url(f"sqlite:///{tmp_path / 'x'}"))
    with pytest.raises(Unavailable, match="file is not a database; check --database"):
        schema.migrate(database.engine)
    database.close()


def test_names_sort_octet_by_octet(empty: Database) -> None:
    schema.migrate(empty.engine)
    with empty.engine.connect() as connection:
        columns = inspect(connection).get_columns("users")
    (name,) = [column for column in columns if column["name"] == "name"]
    assert getattr(name["type"], "collation", None) in (None, "utf8mb4_bin")
