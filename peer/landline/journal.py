"""The journal: what a peer has sent and received, on its own disk.

One SQLite file for each user and broker. Written before the wire (sending)
and before the acknowledgement (receiving). A connection belongs to one
thread at a time. It knows nothing of links, windows or acknowledgements.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from landline.errors import JournalUnusable

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    other TEXT NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX conversations_by_other ON conversations (other);
CREATE TABLE messages (
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    mine INTEGER NOT NULL,
    number INTEGER NOT NULL,
    place INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (conversation, mine, number)
) WITHOUT ROWID;
"""
_STORE = (
    "INSERT INTO messages (conversation, place, mine, number, at_ms, text)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


class Row(NamedTuple):
    """A message to be stored: ``mine`` says whether this side said it."""

    mine: bool
    number: int
    at_ms: int
    text: str


class Record(NamedTuple):
    """A message as it was stored; ``delivered`` is true of all that was heard here."""

    other: str
    mine: bool
    number: int
    at_ms: int
    text: str
    delivered: bool


class Journal:
    """An open journal.

    Raises:
        JournalUnusable: the file cannot be opened, or another version made it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 1
        with self._explained():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            # The connection is handed on, from the thread that opens it to the
            # receiver and then to the sender, and never used by two at once.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; what was written is there."""
        self._db.close()

    def knows(self, uuid: bytes) -> bool:
        """Return whether there has been a conversation of this id."""
        with self._explained():
            query = "SELECT 1 FROM conversations WHERE uuid = ?"
            return self._db.execute(query, (uuid,)).fetchone() is not None

    def open_conversation(self, uuid: bytes, other: str) -> int:
        """Return the number under which a conversation's messages are stored."""
        with self._explained():
            self._db.execute(
                "INSERT INTO conversations (uuid, other) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (uuid, other),
            )
            found = self._db.execute("SELECT id FROM conversations WHERE uuid = ?", (uuid,))
            conversation = int(found.fetchone()[0])
            last = self._db.execute(
                "SELECT MAX(place) FROM messages WHERE conversation = ?", (conversation,)
            )
            self._place = (last.fetchone()[0] or 0) + 1
        return conversation

    def store(self, conversation: int, rows: Iterable[Row]) -> None:
        """Store messages, all of them or none, in the order in which they are given."""
        placed = [(conversation, place, *row) for place, row in enumerate(rows, self._place)]
        with self._explained():
            if len(placed) == 1:
                # A statement is a transaction, too, and costs half of one.
                self._db.execute(_STORE, placed[0])
            else:
                self._store_together(placed)
        self._place += len(placed)

    def _store_together(self, placed: Sequence[tuple[object, ...]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(_STORE, placed)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def confirm(self, conversation: int, upto: int) -> None:
        """Note that the other side has stored what was said here up to a number."""
        with self._explained():
            self._db.execute(
                "UPDATE conversations SET confirmed = ? WHERE id = ?", (upto, conversation)
            )

    def history(self, other: str) -> Iterator[Record]:
        """Yield every message exchanged with ``other``, in the order they were stored."""
        with self._explained(), closing(self._db.cursor()) as cursor:
            cursor.execute(
                "SELECT mine, number, at_ms, text, NOT mine OR number <= confirmed"
                " FROM messages JOIN conversations ON conversations.id = conversation"
                " WHERE other = ? ORDER BY conversation, place",
                (other,),
            )
            for mine, number, at_ms, text, delivered in cursor:
                yield Record(other, bool(mine), number, at_ms, text, bool(delivered))

    def _prepare(self) -> None:
        self._db.execute("PRAGMA busy_timeout = 5000")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            self._db.execute("PRAGMA synchronous = NORMAL")
            return
        if version != 0:
            raise JournalUnusable(
                f"{self._path} was made by a newer Landline; upgrade this one, or use another --home"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise JournalUnusable(
                f"cannot use the journal {self._path}: {error}; make room or mend the"
                " permissions, then call again"
            ) from error
