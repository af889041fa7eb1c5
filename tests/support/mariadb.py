"""A private MariaDB server for the tests: its own files, socket and port.

It takes nothing from a server that may already run on this machine and leaves
nothing behind. The URLs it gives are what a user would write into a configuration.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pytest

from tests.support.leaks import session_processes
from tests.support.ports import free_port
from tests.support.waiting import poll_until

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUIRED = "LANDLINE_REQUIRE_MARIADB"
START_DEADLINE = 30.0
STOP_DEADLINE = 30.0

# Daemons lie where the PATH of an ordinary user does not lead.
SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/usr/libexec"]
)

OPTIONS = [
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--skip-ssl",
    "--character-set-server=utf8mb4",
    "--max-connections=300",
    # Tests survive no power cut: nothing has to reach the disk.
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
    "--sync-frm=0",
    # Small buffers start and stop fast.
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-dump-at-shutdown=0",
    "--innodb-buffer-pool-load-at-startup=0",
    "--innodb-fast-shutdown=2",
    "--aria-pagecache-buffer-size=1M",
    "--key-buffer-size=64K",
    "--performance-schema=OFF",
]


class MariaDB:
    """One server. `start` and `stop` can be called again and again; the port stays."""

    user = "landline"
    host = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port(self.host)
        self.password = secrets.token_urlsafe(12)
        self._socket = folder / "socket"
        self._log = folder / "log"
        self._names = (f"landline_{number}" for number in itertools.count(1))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def install(self) -> None:
        """Create the server's own files and the user that the URLs name."""
        subprocess.run(
            [
                _program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={self.folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
                *_as_root(),
            ],
            check=True,
            capture_output=True,
            timeout=START_DEADLINE * 2,
        )
        self.start()
        # Not a %-pattern: that would admit the whole network for the time of the tests.
        self.execute(
            f"CREATE USER {self.user}@'{self.host}' IDENTIFIED BY '{self.password}'",
            f"GRANT ALL ON `landline\\_%`.* TO {self.user}@'{self.host}'",
        )

    def start(self) -> None:
        """Start the server unless it runs, and wait until it takes connections."""
        if self.running:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    _program("mariadbd"),
                    *OPTIONS,
                    *_as_root(),
                    f"--datadir={self.folder / 'data'}",
                    f"--socket={self._socket}",
                    f"--pid-file={self.folder / 'pid'}",
                    f"--port={self.port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        session_processes.add(self._process.pid)
        if not poll_until(lambda: self._answers() or not self.running, START_DEADLINE):
            self.stop()
        if not self.running:
            raise RuntimeError(f"mariadbd did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        """Stop the server cleanly and wait for its end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let the server hang: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # A thread of it that runs on another processor still answers for a moment.
        pid = self._process.pid
        stopped = poll_until(lambda: _is_stopped(pid), STOP_DEADLINE)
        assert stopped, "the server did not stop"

    def resume(self) -> None:
        """Let a paused server go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"mysql+pymysql://{self.user}:{self.password}@{self.host}:{self.port}/{name}"

    def create_database(self) -> str:
        """Create an empty database and return its name."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, cutting off the connections that still use it."""
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
            for (number,) in cursor.fetchall():
                with contextlib.suppress(pymysql.err.OperationalError):  # gone by itself
                    cursor.execute(f"KILL SOFT CONNECTION {number}")
            cursor.execute(f"DROP DATABASE {name}")

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Give the URL of a fresh database; drop it afterwards, whatever became of the server."""
        name = self.create_database()
        try:
            yield self.url(name)
        finally:
            self.resume()
            self.start()
            self.drop_database(name)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except OSError:
            return False
        return True

    def execute(self, *statements: str) -> None:
        with self._connection() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _connection(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        """Connect as root; OSError when the server does not listen."""
        # PyMySQL leaves its own local socket open when there is no server.
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.connect(str(self._socket))
            connection = pymysql.connect(user="root", autocommit=True, defer_connect=True)
            connection.connect(link)
        except BaseException:
            link.close()
            raise
        return connection

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        session_processes.discard(process.pid)


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """Run a private MariaDB server for the session.

    Where there is none, its tests are skipped, unless LANDLINE_REQUIRE_MARIADB=1.
    """
    if _find("mariadbd") is None or _find("mariadb-install-db") is None:
        missing = "MariaDB's server (mariadbd, mariadb-install-db) is not installed"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{missing}, and {REQUIRED}=1")
        pytest.skip(missing)
    server = MariaDB(tmp_path_factory.mktemp("mariadb"))
    try:
        server.install()
        yield server
    finally:
        server.stop()


@pytest.fixture
def mariadb_url(mariadb: MariaDB) -> Iterator[str]:
    """The URL of a fresh, empty MariaDB database."""
    with mariadb.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'broker.sqlite'}"


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, empty database: each test runs on SQLite and on MariaDB."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for the server, so that `-m "not mariadb"` leaves it out."""
    for item in items:
        if isinstance(item, pytest.Function) and "mariadb" in item.fixturenames:
            item.add_marker(pytest.mark.mariadb)


def _find(name: str) -> str | None:
    return shutil.which(name, path=SEARCH_PATH)


def _program(name: str) -> str:
    path = _find(name)
    assert path is not None, name
    return path


def _as_root() -> list[str]:
    """MariaDB runs as root only when told to."""
    return ["--user=root"] if os.geteuid() == 0 else []


def _is_stopped(pid: int) -> bool:
    """Whether every thread of a process is stopped, where the system tells."""
    stats = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] in "Tt" for stat in stats)
