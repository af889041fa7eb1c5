"""The journal's tables, and how those of an older version become these.

``prepare`` makes a file ready for use: it is done once, when it is opened,
and looks at nothing that grows with what is stored.
"""

import heapq
import sqlite3
import time
from collections.abc import Iterator
from operator import itemgetter

from landline.errors import JournalUnusable
from landline.journal.file import BUSY_MS, File
from landline.journal.records import Progress
from landline_protocol.frames import Text, encode_texts
from landline_protocol.limits import BATCH_ITEMS_MAX, CHUNK_MAX

SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    other TEXT NOT NULL,
    key BLOB NOT NULL,              -- empty in what version 1 kept
    caller INTEGER NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    confirmed INTEGER NOT NULL DEFAULT 0,
    -- Of chunks that were taken out; what is still there counts besides.
    heard INTEGER NOT NULL DEFAULT 0,
    active_ms INTEGER NOT NULL DEFAULT 0,
    cut INTEGER NOT NULL DEFAULT 0, -- whether any were: then it cannot be resumed
    fleeting INTEGER NOT NULL DEFAULT 0  -- of what is delivered nothing is kept
);
CREATE INDEX conversations_fleeting ON conversations (id) WHERE fleeting;
CREATE INDEX conversations_by_other ON conversations (other, state);
CREATE INDEX conversations_by_state ON conversations (state);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,         -- in the order of storing
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    mine INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    octets BLOB NOT NULL,
    UNIQUE (conversation, mine, first)
);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,         -- in the order in which it is to be said
    other TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX outbox_by_other ON outbox (other);
CREATE TABLE blocked (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = '', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE indexed (upto INTEGER NOT NULL);
INSERT INTO indexed VALUES (0);
"""
_MINE_OF_1 = (
    "SELECT place, mine, number, at_ms, text FROM messages"
    " WHERE conversation = ? AND mine = ? ORDER BY number"
)


def prepare(file: File) -> None:
    """Make, upgrade or accept what is in the file.

    Raises:
        JournalUnusable: a newer version made it, or it is no journal, or cannot be used.
    """
    with file.explained():
        # What is deleted leaves no trace, whatever SQLite's own default is.
        file.db.execute("PRAGMA secure_delete = ON")
        # 16 MiB of write-ahead log: in bulk a text costs two thirds of what it does with 4.
        file.db.execute("PRAGMA wal_autocheckpoint = 4000")
        version = _version(file)
        if version == SCHEMA_VERSION:
            file.db.execute("SELECT upto FROM indexed").fetchone()
            return
        if version == 0:
            _log_ahead(file.db)
        with file.transaction(durable=True):
            # Another program may have been faster.
            version = _version(file)
            if version == 0:
                _make(file.db)
            elif version == 1:
                _upgrade(file.db)
        if version == 1:
            file.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _log_ahead(db: sqlite3.Connection) -> None:
    """Switch to WAL mode; SQLite does not wait by itself for others that do so, too."""
    deadline = time.monotonic() + BUSY_MS / 1_000
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _version(file: File) -> int:
    version = int(file.db.execute("PRAGMA user_version").fetchone()[0])
    if not 0 <= version <= SCHEMA_VERSION:
        raise JournalUnusable(
            f"{file.path} was made by a newer Landline; upgrade this one, or use another --home"
        )
    if version == 0 and file.db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        raise JournalUnusable(
            f"{file.path} is a database, but no journal; move it away, or use another --home"
        )
    return version


def _make(db: sqlite3.Connection) -> None:
    # Not by executescript: that commits first.
    for statement in _SCHEMA.split(";\n"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _upgrade(db: sqlite3.Connection) -> None:
    """Turn single messages into chunks, one conversation after the other."""
    db.execute("DROP INDEX conversations_by_other")
    db.execute("ALTER TABLE conversations RENAME TO conversations_1")
    _make(db)
    conversations = db.execute("SELECT id, uuid, other, confirmed FROM conversations_1").fetchall()
    for conversation, uuid, other, confirmed in conversations:
        said = at_ms = 0
        for row in _chunks_of_1(db, conversation):
            db.execute(
                "INSERT INTO chunks (conversation, mine, first, count, at_ms, octets)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (conversation, *row),
            )
            mine, first, count, chunk_at_ms, _ = row
            said = first + count - 1 if mine else said
            at_ms = at_ms or chunk_at_ms
        state = Progress.FINISHED if said <= confirmed else Progress.OVER
        db.execute(
            "INSERT INTO conversations"
            " (id, uuid, other, key, caller, host, port, at_ms, state, confirmed)"
            " VALUES (?, ?, ?, x'', 0, '', 0, ?, ?, ?)",
            (conversation, uuid, other, at_ms, state, confirmed),
        )
        # The next conversation takes the room of this one.
        db.execute("DELETE FROM messages WHERE conversation = ?", (conversation,))
    db.execute("DROP TABLE messages")
    db.execute("DROP TABLE conversations_1")


def _chunks_of_1(
    db: sqlite3.Connection, conversation: int
) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Yield mine, first, count, at_ms and octets of the runs of one direction."""
    directions = [db.execute(_MINE_OF_1, (conversation, mine)) for mine in (0, 1)]
    run: list[Text] = []
    weight = first = speaker = 0
    for _, mine, number, at_ms, text in heapq.merge(*directions, key=itemgetter(0)):
        item = Text(at_ms, text)
        octets = len(encode_texts([item]))
        full = weight + octets > CHUNK_MAX or len(run) == BATCH_ITEMS_MAX
        if run and (full or (speaker, first + len(run)) != (mine, number)):
            yield speaker, first, len(run), run[-1].at, encode_texts(run)
            run, weight = [], 0
        if not run:
            speaker, first = mine, number
        run.append(item)
        weight += octets
    if run:
        yield speaker, first, len(run), run[-1].at, encode_texts(run)
