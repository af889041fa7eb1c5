"""Connections: how they are made, held, healed and closed.

One held connection for each thread, because connecting costs more than a query;
transactions with bounded retries; a connection that was lost is replaced. It
knows no table. The password in a URL never leaves this module in a text.
"""

import enum
import logging
import os
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, Select, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import InterfaceError as DriverError
from sqlalchemy.pool import NullPool

from landline_sql.errors import BadDatabase, Unavailable

T = TypeVar("T")
Values = dict[str, Any]

log = logging.getLogger("landline.sql")

CONNECT_TIMEOUT_S: Final = 2
STATEMENT_TIMEOUT_S: Final = 5
LOCK_TIMEOUT_S: Final = 1
TRIES: Final = 8
TRY_AGAIN_S: Final = 2.5
BACKOFF_S: Final = 0.005

# Deadlock and lock wait; a lost certification on Galera shows as a deadlock.
CONTENTION: Final = frozenset({1205, 1213})
# What SQLAlchemy does not count as a lost connection: the server is shutting
# down, killed the connection, or its Galera node has left the cluster.
LOST: Final = frozenset({1047, 1053, 1077, 1158, 1159, 1160, 1161, 1927, 3169, 4031})


class Fault(enum.Enum):
    """What an error of the driver means for the transaction that met it."""

    CONTENTION = enum.auto()
    LOST = enum.auto()
    OUT_OF_ORDER = enum.auto()
    BUG = enum.auto()


class _CommitUnknown(Exception):
    """The connection was lost while a commit was under way."""


def parse_url(text: str) -> URL:
    """Return the SQLAlchemy URL for what an operator wrote.

    ``mysql://`` and ``mariadb://`` both mean PyMySQL.

    Raises:
        BadDatabase: it is no URL, or of a database that is not supported.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise BadDatabase(
            "the database URL is not valid: write mysql://USER:PASSWORD@HOST/DATABASE"
            " or sqlite:////PATH"
        ) from None
    if "@" in (url.host or ""):
        # It is the rest of a password, and errors name the host.
        raise BadDatabase("the database URL is not valid: write an @ in the password as %40")
    family = url.drivername.partition("+")[0]
    if family in ("mysql", "mariadb"):
        return url.set(drivername="mysql+pymysql")
    if family == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite+pysqlite")
    raise BadDatabase("the database URL starts with mysql://, mariadb:// or sqlite:////PATH")


@dataclass(frozen=True)
class _Plain:
    """A query as the driver takes it: its text, and its parameters in order."""

    text: str
    names: Sequence[str]
    fixed: Values

    @classmethod
    def of(cls, statement: "Select[*tuple[Any, ...]]", engine: Engine) -> "_Plain":
        compiled = statement.compile(engine)
        return cls(str(compiled), compiled.positiontup or (), compiled.params)

    def first(self, driver: Any, values: Values) -> Sequence[Any] | None:
        given = self.fixed | values
        cursor = driver.cursor()
        try:
            cursor.execute(self.text, [given[name] for name in self.names])
            row: Sequence[Any] | None = cursor.fetchone()
        finally:
            cursor.close()
        return row


def file_url(path: Path) -> URL:
    """Return the URL of an SQLite file."""
    return URL.create("sqlite+pysqlite", database=str(path))


class Database:
    """An engine and the connection that each thread holds on it.

    A server that takes longer than ``patience`` seconds for a statement counts
    as lost.
    """

    def __init__(self, url: URL, patience: int = STATEMENT_TIMEOUT_S) -> None:
        self.url = url
        self.engine = _engine(self.url, patience)
        self._begin = "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN"
        self._plain: dict[Any, _Plain] = {}
        self._own = threading.local()
        self._all: set[Connection] = set()
        self._opening: set[Any] = set()
        self._lock = threading.Lock()
        self._is_given_up = False
        if self.is_sqlite:
            _make_private(url.database)
        else:
            event.listen(self.engine, "do_connect", self._open)

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of this machine."""
        return self.url.drivername.startswith("sqlite")

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` outside any transaction; every statement sees what is committed.

        Raises:
            Unavailable: the database cannot be reached.
        """
        return self._run(work)

    def first(self, statement: "Select[*tuple[Any, ...]]", values: Values) -> Sequence[Any] | None:
        """Return the first row of a query, or None, by the shortest way there is.

        Five times as fast as ``read``, for what is asked most: the statement is
        compiled once, and goes straight to the driver.

        Raises:
            Unavailable: the database cannot be reached.
        """
        plain = self._plain.get(statement)
        if plain is None:
            plain = self._plain[statement] = _Plain.of(statement, self.engine)
        driver = self._connection().connection.dbapi_connection
        try:
            return plain.first(driver, values)
        except self.engine.dialect.loaded_dbapi.Error:
            # The ordinary way knows what the error means and whether to try again.
            return self.read(lambda connection: connection.execute(statement, values).first())

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction; it may run more than once.

        A transaction that meets a deadlock, a busy database or a row that
        another one has just written is rolled back and run again, so ``work``
        reads first and acts on what it read.

        Raises:
            Unavailable: the database cannot be reached, or stayed busy.
        """
        return self._run(lambda connection: self._transaction(connection, work))

    def release(self) -> None:
        """Close the connection that this thread holds, if any."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is not None:
            self._own.connection = None
            self._close(connection)

    def close(self) -> None:
        """Close every connection. No other thread may be using one."""
        with self._lock:
            connections = list(self._all)
        for connection in connections:
            self._close(connection)
        self.engine.dispose()

    def interrupt(self) -> None:
        """Break off what other threads are waiting for, so that they can end.

        From then on everything is Unavailable.
        """
        with self._lock:
            self._is_given_up = True
            held, drivers = list(self._all), list(self._opening)
        for connection in held:
            with suppress(SQLAlchemyError):  # it may be closing at this very moment
                drivers.append(connection.connection.dbapi_connection)
        for driver in drivers:
            _interrupt(driver)

    def _run(self, attempt: Callable[[Connection], T]) -> T:
        lost = False
        until = time.monotonic() + TRY_AGAIN_S
        for tried in range(TRIES):
            connection = self._connection()
            try:
                return attempt(connection)
            except _CommitUnknown as error:
                self.release()
                raise Unavailable("the database went away") from error.__cause__
            except DBAPIError as error:
                fault = _fault(error)
                if fault is Fault.BUG:
                    raise
                if fault is not Fault.CONTENTION:
                    self.release()
                if fault is Fault.OUT_OF_ORDER or lost:
                    log.warning("the database does not answer: %s", error.orig)
                    raise Unavailable("the database does not answer") from error
                lost = fault is Fault.LOST
                last = error
            if time.monotonic() > until:
                break
            time.sleep(random.uniform(0, BACKOFF_S * 2**tried))
        if isinstance(last, IntegrityError):
            raise last
        raise Unavailable("the database is too busy") from last

    def _transaction(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        connection.exec_driver_sql(self._begin)
        try:
            outcome = work(connection)
        except BaseException:
            with suppress(SQLAlchemyError):  # the first error is the one that counts
                connection.exec_driver_sql("ROLLBACK")
            raise
        self._commit(connection)
        return outcome

    def _commit(self, connection: Connection) -> None:
        try:
            connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            if _fault(error) is Fault.LOST:
                raise _CommitUnknown from error
            with suppress(SQLAlchemyError):
                connection.exec_driver_sql("ROLLBACK")
            raise

    def _connection(self) -> Connection:
        held: Connection | None = getattr(self._own, "connection", None)
        if held is not None:
            return held
        if self._is_given_up:
            raise Unavailable("the database is no longer asked")
        try:
            connection = self.engine.connect()
        except DBAPIError as error:
            log.warning("the database cannot be reached: %s", error.orig)
            raise Unavailable("the database cannot be reached") from error
        with self._lock:
            self._all.add(connection)
        self._own.connection = connection
        return connection

    def _open(self, dialect: Dialect, _: object, arguments: Any, options: Any) -> Any:
        """Connect as SQLAlchemy would, but so that ``interrupt`` can break it off."""
        driver = dialect.loaded_dbapi.connect(*arguments, **options, defer_connect=True)
        with self._lock:
            self._opening.add(driver)
        try:
            driver.connect()
        finally:
            with self._lock:
                self._opening.discard(driver)
        return driver

    def _close(self, connection: Connection) -> None:
        with self._lock:
            self._all.discard(connection)
        with suppress(SQLAlchemyError):  # the other end may be gone already
            connection.invalidate()
        connection.close()


def _engine(url: URL, patience: int) -> Engine:
    prepare: Callable[[Any, object], None]
    if url.drivername.startswith("sqlite"):
        arguments: dict[str, Any] = {"timeout": LOCK_TIMEOUT_S, "check_same_thread": False}
        prepare, style = _prepare_sqlite, "qmark"
    else:
        url, arguments = _mysql_arguments(url, patience)
        prepare = _prepare_mysql_over_tls if "ssl" in arguments else _prepare_mysql
        style = "format"
    try:
        engine = create_engine(
            url,
            poolclass=NullPool,
            paramstyle=style,  # by position, which _Plain relies on
            # Each statement commits by itself; ``write`` says BEGIN in so many words.
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=arguments,
        )
    except (ArgumentError, TypeError):
        raise BadDatabase("the database URL has an option that is not known") from None
    event.listen(engine, "connect", prepare)
    return engine


def _make_private(path: str | None) -> None:
    """Make an SQLite file that is not there yet, readable for its owner alone."""
    # Where that fails, opening it fails too, and says so.
    with suppress(OSError):
        os.close(os.open(path or "", os.O_CREAT | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: Any, _: object) -> None:
    _settle(
        connection,
        "PRAGMA foreign_keys = ON",
        # FULL, so that what was answered outlives a power cut: a name and its port
        # must not be given out twice. It costs a quarter of a millisecond a commit.
        "PRAGMA synchronous = FULL",
    )


def _prepare_mysql(connection: Any, _: object) -> None:
    _settle(
        connection,
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        # In a zone with summer time an hour of NOW() comes twice; in UTC none does.
        "SET SESSION time_zone = '+00:00', sql_mode = 'TRADITIONAL',"
        f" innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}",
    )


def _prepare_mysql_over_tls(connection: Any, record: object) -> None:
    """Make sure that there is TLS: older PyMySQLs go on without it."""
    import pymysql  # noqa: PLC0415  (it comes with the driver, if that is asked for)

    cipher = _settle(connection, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    if not cipher or not cipher[1]:
        connection.close()
        raise pymysql.OperationalError(2026, "the server has no TLS, which the URL asks for")
    _prepare_mysql(connection, record)


def _settle(connection: Any, *statements: str) -> Any:
    """Run statements on a new connection; return the last one's first row, if any."""
    try:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        row = cursor.fetchone()
        cursor.close()
    except BaseException:
        connection.close()
        raise
    return row


def _mysql_arguments(url: URL, patience: int) -> tuple[URL, dict[str, Any]]:
    tls = {name: value for name, value in url.query.items() if name.startswith("ssl")}
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": patience,
        "write_timeout": patience,
    }
    if tls:
        arguments["ssl"] = _tls(tls)
    else:
        # Otherwise PyMySQL loads the whole CA bundle, for a server without TLS too.
        arguments["ssl_disabled"] = True
    return url.difference_update_query(tls), arguments


def _tls(options: dict[str, Any]) -> Any:
    import ssl  # noqa: PLC0415  (few need it, and it is slow)

    unknown = set(options) - {"ssl", "ssl_ca", "ssl_cert", "ssl_key"}
    if unknown:
        raise BadDatabase("the URL's TLS options are ssl=true, ssl_ca, ssl_cert and ssl_key")
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca"))
        if "ssl_cert" in options:
            context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
    except OSError as error:
        raise BadDatabase(f"the URL's TLS files cannot be used: {error.strerror}") from None
    return context


def _interrupt(driver: Any) -> None:
    """Make what another thread waits for on a driver's connection fail."""
    with suppress(OSError, sqlite3.Error):  # it is closed already
        if isinstance(driver, sqlite3.Connection):
            driver.interrupt()
        elif getattr(driver, "_sock", None) is not None:
            driver._sock.shutdown(socket.SHUT_RDWR)


def _fault(error: DBAPIError) -> Fault:
    if isinstance(error, IntegrityError):
        return Fault.CONTENTION
    arguments = getattr(error.orig, "args", ())
    code = arguments[0] if arguments else None
    if code in CONTENTION or _sqlite_busy(error.orig):
        return Fault.CONTENTION
    if error.connection_invalidated or code in LOST:
        return Fault.LOST
    if isinstance(error, OperationalError | DriverError):
        return Fault.OUT_OF_ORDER
    return Fault.BUG


def _sqlite_busy(error: BaseException | None) -> bool:
    name: str = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
