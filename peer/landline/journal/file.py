"""The journal's file: its connection, its transactions, and what its errors mean.

It knows no table. A connection belongs to one thread at a time.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EDQUOT, EMFILE, ENFILE, ENOSPC
from pathlib import Path

import msgspec

from landline.errors import JournalUnusable

BUSY_MS = 5_000
"""How long another program may hold the file locked, in milliseconds."""

_MAKE_ROOM = "make room on its disk, then try again"
_CLOSE = "too many files are open: end other programs, then try again"
_PERMIT = "see to it that you may write it and its directory, then try again"
_DAMAGED = (
    "it is damaged: move it away to begin a new one, and keep it, because most of it can be"
    " rescued (sqlite3 FILE .recover)"
)
_FOREIGN = "it is no journal: move it away, or use another --home"
_WAIT = "another program has had it locked for long; end that, then try again"
_ELSE = "make room or mend the permissions, then try again"
_ADVICE = {
    sqlite3.SQLITE_FULL: _MAKE_ROOM,
    sqlite3.SQLITE_IOERR: "make room on its disk, or have the disk checked, then try again",
    sqlite3.SQLITE_READONLY: _PERMIT,
    sqlite3.SQLITE_CANTOPEN: _PERMIT,
    sqlite3.SQLITE_PERM: _PERMIT,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _FOREIGN,
    sqlite3.SQLITE_BUSY: _WAIT,
    sqlite3.SQLITE_LOCKED: _WAIT,
}


class File:
    """An open file; ``db`` runs single statements, each a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._durable = True
        self._log: int | None = None
        self._syncing = threading.Lock()
        with self.explained():
            # Only a new file: closing one that another connection of this program
            # has open would end that connection's locks.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            # The connection is handed on, from the thread that opens it to the
            # receiver and then to the sender, and never used by two at once.
            self.db = sqlite3.connect(
                path,
                timeout=BUSY_MS / 1_000,
                isolation_level=None,
                check_same_thread=False,
            )

    def open_log(self) -> None:
        """Open the write-ahead log, if there is one: later there may be no descriptor for it."""
        with self.explained(), suppress(FileNotFoundError):
            if self._log is None:
                self._log = os.open(f"{self.path}-wal", os.O_RDONLY)

    def close(self) -> None:
        try:
            self.db.close()
        finally:
            if self._log is not None:
                os.close(self._log)
                self._log = None

    def sync(self) -> None:
        """Return when all that was committed survives a power cut.

        Any thread may wait here while another one uses ``db``: SQLite locks
        nothing in the write-ahead log, and syncs it by itself before it moves
        anything from there into the file.

        Raises:
            JournalUnusable: the disk fails, or nobody could find it any more.
        """
        with self._syncing, self.explained():
            if self._log is None:
                self._log = os.open(f"{self.path}-wal", os.O_RDONLY)
            if os.fstat(self._log).st_nlink == 0:
                raise JournalUnusable(f"the journal {self.path} was removed; start landline anew")
            os.fdatasync(self._log)

    def promise(self, *, durable: bool) -> None:
        """Let commits from now on survive a power cut, or only the end of the program."""
        if durable is not self._durable:
            # In WAL mode the write-ahead log is synced at each commit by FULL only.
            self.db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Hold a transaction: all of it is written, or nothing.

        Raises:
            JournalUnusable: nothing was written.
        """
        with self.explained():
            self.promise(durable=durable)
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See nothing of what others write meanwhile, who do not wait for this.

        Raises:
            JournalUnusable: it cannot be read.
        """
        with self.explained():
            self.db.execute("BEGIN")
            try:
                yield
            finally:
                if self.db.in_transaction:
                    self.db.execute("COMMIT")

    def write(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run one statement as a transaction of its own, and return how many rows it changed."""
        with self.explained():
            self.promise(durable=False)
            return self.db.execute(statement, values).rowcount

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn whatever goes wrong with the file into words."""
        try:
            yield
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            raise self.unusable(error) from error

    def unusable(self, error: Exception) -> JournalUnusable:
        """Say what is wrong with the file, and what to do about it."""
        return JournalUnusable(f"cannot use the journal {self.path}: {error}; {_advice(error)}")


def _advice(error: Exception) -> str:
    if isinstance(error, OSError):
        if error.errno in (EMFILE, ENFILE):
            return _CLOSE
        return _MAKE_ROOM if error.errno in (ENOSPC, EDQUOT) else _PERMIT
    if isinstance(error, msgspec.MsgspecError):
        return _DAMAGED
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return _ADVICE.get(code, _ELSE)
