"""Whether a database has this version's tables, and making it so.

Alembic is slow to import, so a database that is current, and a new SQLite
file, do without it: ``HEAD`` and ``tables.metadata`` say all that is needed,
and the tests hold both equal to what the migrations lead to.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from landline_sql.errors import SchemaError, Unavailable
from landline_sql.tables import metadata

HEAD: Final = "0002"
"""The newest migration."""

PATIENCE_S: Final = 3_600
"""How long one statement of a migration may take: tables can be large."""

_LOCK_S: Final = 30

# The same table that Alembic would make.
_version = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "alembic_version_pkc"}),
    Column("version_num", String(32), primary_key=True),
)


def is_current(engine: Engine) -> bool:
    """Whether the tables are those of this version.

    Raises:
        Unavailable: the database cannot be reached.
    """
    with _connected(engine) as connection:
        return _revision(connection) == HEAD


def migrate(engine: Engine) -> None:
    """Make the tables, or bring them up to this version; do nothing if they are.

    Any number of processes may do so at once.

    Raises:
        SchemaError: the tables are of a later version.
        Unavailable: the database cannot be reached.
    """
    with _connected(engine) as connection:
        if _revision(connection) == HEAD:
            return
        with _alone(connection):
            if _revision(connection) != HEAD:
                _make(connection)


def upgrade(connection: Connection) -> None:
    """Run the migrations that the database has not seen.

    Raises:
        SchemaError: it has seen one that is not known here.
    """
    from alembic import command  # noqa: PLC0415  (slow, and seldom needed)
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "landline_sql:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaError(
            "the database was made by a later version of Landline; install that version"
        ) from error


def create(connection: Connection) -> None:
    """Make all tables of an empty database at once."""
    metadata.create_all(connection)
    _version.create(connection)
    connection.execute(_version.insert().values(version_num=HEAD))


def _make(connection: Connection) -> None:
    is_empty = not inspect(connection).get_table_names()
    if is_empty and connection.dialect.name == "sqlite":
        create(connection)
    else:
        upgrade(connection)


def _revision(connection: Connection) -> str | None:
    try:
        return connection.execute(select(_version.c.version_num)).scalar()
    except (OperationalError, ProgrammingError) as error:
        if error.connection_invalidated:
            raise
        return None  # there is no such table yet


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise Unavailable(
            f"the database cannot be used: {_reason(error)}; check --database and the server"
        ) from error


def _reason(error: DBAPIError) -> str:
    """Say in one line what the driver said; it never repeats a password."""
    arguments = getattr(error.orig, "args", ())
    return str(arguments[-1] if arguments else error.orig).splitlines()[0]


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep other processes from migrating the same database meanwhile."""
    if connection.dialect.name == "sqlite":
        yield from _sqlite_alone(connection)
    else:
        yield from _mysql_alone(connection)


def _sqlite_alone(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_LOCK_S * 1000}")
    _write_ahead(connection)
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _write_ahead(connection: Connection) -> None:
    """Switch to WAL; SQLite does not wait for a lock here, so we do."""
    deadline = time.monotonic() + _LOCK_S
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _mysql_alone(connection: Connection) -> Iterator[None]:
    lock = "landline-migrate"
    got = connection.exec_driver_sql(f"SELECT GET_LOCK('{lock}', {_LOCK_S})").scalar()
    if not got:
        raise Unavailable("another landline-broker migrate is under way; try again later")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"SELECT RELEASE_LOCK('{lock}')")
