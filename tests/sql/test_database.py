"""Connections are held, healed and closed; no password gets out."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from landline_sql import database as module
from landline_sql.database import Database, parse_url
from landline_sql.errors import BadDatabase, Unavailable
from landline_sql.tables import audit, throttle
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.mariadb import MariaDB

ROW = {"kind": "login", "account": "a", "address": "b", "failures": 1, "at": 0, "blocked_until": 0}


def insert(connection: Connection, **changed: object) -> None:
    connection.execute(throttle.insert().values(**ROW | changed))


def accounts(database: Database) -> list[str]:
    return list(database.read(lambda c: c.execute(select(throttle.c.account)).scalars()))


def connection_id(database: Database) -> int:
    return int(database.read(lambda c: c.execute(text("SELECT CONNECTION_ID()")).scalar_one()))


@pytest.fixture
def on_mariadb(empty_mariadb: str) -> str:
    """The URL of a MariaDB database with its tables, empty."""
    return empty_mariadb


@pytest.mark.parametrize(
    ("written", "driver"),
    [
        ("mysql://u:p@h/d", "mysql+pymysql"),
        ("mysql+pymysql://u:p@h/d", "mysql+pymysql"),
        ("mariadb://u:p@h/d?charset=utf8mb4", "mysql+pymysql"),
        ("sqlite:////tmp/x", "sqlite+pysqlite"),
    ],
)
def test_each_way_to_write_a_url_means_one_driver(written: str, driver: str) -> None:
    assert parse_url(written).drivername == driver


@pytest.mark.parametrize(
    "written",
    [
        "",
        "hidden",
        "postgresql://u:hidden@h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://h:x/",
        "mysql://u:pass@hidden@h/d",
    ],
)
def test_what_cannot_be_used_is_named_without_repeating_it(written: str) -> None:
    with pytest.raises(BadDatabase) as caught:
        parse_url(written)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "query", ["ssl_ca=/nowhere", "ssl_cert=/nowhere", "ssl_mode=x", "ssl=true&ssl_key_path=x"]
)
def test_tls_options_that_cannot_be_used_are_refused(query: str) -> None:
    with pytest.raises(BadDatabase, match="TLS"):
        Database(parse_url(f"mysql://u:hidden@127.0.0.1/d?{query}"))


def test_tls_is_off_unless_the_url_asks_for_it(on_mariadb: str) -> None:
    plain = Database(parse_url(on_mariadb))
    plain.read(lambda c: c.execute(text("SELECT 1")))
    plain.close()
    guarded = Database(parse_url(on_mariadb + "?ssl=true"))
    with pytest.raises(Unavailable):  # this server has no TLS
        guarded.read(lambda c: c.execute(text("SELECT 1")))
    guarded.close()


def test_no_password_in_a_repr(on_mariadb: str, mariadb: MariaDB) -> None:
    database = Database(parse_url(on_mariadb))
    assert mariadb.password not in repr(database) + repr(database.engine) + str(database.engine)
    database.close()


def test_a_wrong_password_is_unavailable_and_stays_out_of_the_log(
    on_mariadb: str, mariadb: MariaDB, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(parse_url(on_mariadb.replace(mariadb.password, "wrong-and-hidden")))
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as caught:
        database.read(lambda c: c.execute(text("SELECT 1")))
    database.close()
    assert "wrong-and-hidden" not in caplog.text + str(caught.value)


def test_every_thread_holds_one_connection_until_it_lets_go(database: Database) -> None:
    def mine() -> Connection:
        return database.read(lambda connection: connection)

    with ThreadPoolExecutor(1) as other:
        assert mine() is mine()
        assert other.submit(mine).result() is not mine()
        held = mine()
        database.release()
        assert held.closed
        assert mine() is not held
        other.submit(database.release).result()


def test_what_a_transaction_wrote_is_gone_when_it_fails(database: Database) -> None:
    def work(connection: Connection) -> None:
        insert(connection)
        raise LookupError

    with pytest.raises(LookupError):
        database.write(work)
    assert accounts(database) == []
    database.write(insert)
    assert accounts(database) == ["a"]


def test_a_row_that_another_one_has_just_written_runs_the_work_again(database: Database) -> None:
    seen: list[list[str]] = []

    def work(connection: Connection) -> None:
        seen.append(list(connection.execute(select(throttle.c.account)).scalars()))
        insert(connection, account="a" if len(seen) == 1 else "b")

    database.write(insert)
    database.write(work)
    assert seen == [["a"], ["a"]]
    assert sorted(accounts(database)) == ["a", "b"]


def test_a_row_that_can_never_be_written_is_our_bug(database: Database) -> None:
    database.write(insert)
    with pytest.raises(IntegrityError):
        database.write(insert)


def test_wrong_sql_is_our_bug(database: Database) -> None:
    wrong = text("SELECT nothing FROM audit WHERE")
    with pytest.raises((ProgrammingError, Unavailable)):
        database.read(lambda c: c.execute(wrong))


def test_a_deadlock_is_tried_again(on_mariadb: str) -> None:
    database = Database(parse_url(on_mariadb))
    for name in ("a", "b"):
        database.write(lambda c, name=name: insert(c, account=name))  # type: ignore[misc]
    both = threading.Barrier(2)
    runs: list[str] = []

    def count(first: str, second: str) -> None:
        def work(connection: Connection) -> None:
            runs.append(first)
            add = throttle.update().values(failures=throttle.c.failures + 1)
            connection.execute(add.where(throttle.c.account == first))
            if len(runs) <= 2:
                both.wait(10)
            connection.execute(add.where(throttle.c.account == second))

        database.write(work)
        database.release()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(count, "a", "b"), pool.submit(count, "b", "a")]:
            done.result()
    failures = database.read(lambda c: c.execute(select(throttle.c.failures)).scalars().all())
    assert failures == [3, 3]
    assert len(runs) == 3
    database.close()


def test_a_database_that_stays_locked_is_unavailable(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRY_AGAIN_S", 0.0)
    other = Database(database.url)
    database.write(insert)

    def hold(connection: Connection) -> None:
        connection.execute(throttle.update().values(failures=2))
        with pytest.raises(Unavailable, match="busy"):
            database.write(lambda c: c.execute(throttle.update().values(failures=3)))

    other.write(hold)
    other.close()
    database.write(lambda c: c.execute(throttle.update().values(failures=3)))


@pytest.fixture
def killed(on_mariadb: str, mariadb: MariaDB) -> Database:
    """A database whose held connection was lost."""
    database = Database(parse_url(on_mariadb))
    database.write(insert)
    mariadb.stop()
    mariadb.start()
    return database


def test_a_lost_connection_is_replaced(killed: Database) -> None:
    killed.write(lambda c: insert(c, account="c"))
    assert sorted(accounts(killed)) == ["a", "c"]
    killed.close()


def test_a_lost_connection_is_replaced_on_the_short_way_too(killed: Database) -> None:
    row = killed.first(select(throttle.c.account), {})
    assert row is not None
    assert row[0] == "a"
    killed.close()


def test_a_connection_lost_while_it_commits_is_not_tried_again(on_mariadb: str) -> None:
    database, other = (Database(parse_url(on_mariadb)) for _ in range(2))
    runs = []

    def work(connection: Connection) -> None:
        runs.append(1)
        insert(connection)
        number = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
        other.read(lambda c: c.execute(text(f"KILL HARD CONNECTION {number}")))

    with pytest.raises(Unavailable):
        database.write(work)
    assert len(runs) == 1
    assert accounts(database) == []
    database.close()
    other.close()


def test_a_server_that_is_gone_is_unavailable_until_it_is_back(
    on_mariadb: str, mariadb: MariaDB
) -> None:
    database = Database(parse_url(on_mariadb))
    connection_id(database)
    mariadb.stop()
    for _ in range(2):
        with pytest.raises(Unavailable):
            connection_id(database)
    mariadb.start()
    connection_id(database)
    database.close()


def test_who_waits_for_a_server_that_hangs_can_be_broken_off(
    on_mariadb: str, mariadb: MariaDB
) -> None:
    database = Database(parse_url(on_mariadb))
    held = threading.Event()

    def ask() -> None:
        connection_id(database)
        mariadb.pause()
        held.set()
        connection_id(database)

    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(ask)
            assert held.wait(10)
            database.interrupt()
            with pytest.raises(Unavailable):
                waiting.result(1)
        with pytest.raises(Unavailable):
            connection_id(database)
    finally:
        mariadb.resume()
        database.close()


def test_who_waits_for_a_connection_to_a_server_that_hangs_can_be_broken_off(
    on_mariadb: str, mariadb: MariaDB
) -> None:
    database = Database(parse_url(on_mariadb))
    mariadb.pause()
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(connection_id, database)
            wait_until(lambda: database._opening, "the connection to be under way")
            wait_until(lambda: next(iter(database._opening))._sock, "its socket")
            database.interrupt()
            with pytest.raises(Unavailable):
                waiting.result(1)
    finally:
        mariadb.resume()
        database.close()


def test_sqlite_keeps_its_promises_through_a_power_cut(sqlite_url: str) -> None:
    database = Database(parse_url(sqlite_url))
    for pragma, value in (("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 1000)):
        found = database.read(lambda c, p=pragma: c.execute(text(f"PRAGMA {p}")).scalar())  # type: ignore[misc]
        assert found == value
    database.close()


def test_mariadb_reads_what_is_committed_in_utc(on_mariadb: str) -> None:
    database = Database(parse_url(on_mariadb))
    row = database.read(
        lambda c: c.execute(text("SELECT @@tx_isolation, @@time_zone, @@autocommit")).one()
    )
    assert tuple(row) == ("READ-COMMITTED", "+00:00", 1)
    database.close()


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "broker.sqlite"
    database = Database(parse_url(f"sqlite:///{path}"))
    database.read(lambda c: c.execute(text("PRAGMA user_version")).scalar_one())
    database.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    database = Database(parse_url(f"sqlite:///{tmp_path}/no/such/file"))
    with pytest.raises(Unavailable):
        database.read(lambda c: c.execute(select(audit)))
    database.close()
