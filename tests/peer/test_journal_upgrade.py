"""The journal's upgrade: what an older version kept is there, whole, or untouched."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from landline.journal import Journal, Progress, Record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MANY = 100_000
_VERSION_1 = """
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
PRAGMA user_version = 1;
"""
_UPGRADE = (
    "import sys; from pathlib import Path; from landline.journal import schema, Journal\n"
    "made = schema._chunks_of_1\n"
    "def halfway(db, conversation):\n"
    "    for number, row in enumerate(made(db, conversation)):\n"
    "        if number == 300:\n"
    "            db.execute('PRAGMA cache_spill = 1')\n"
    "            print('halfway', flush=True); sys.stdin.read()\n"
    "        yield row\n"
    "schema._chunks_of_1 = halfway\n"
    "Journal(Path(sys.argv[1]))\n"
)


def fill(path: Path, rows: Iterable[tuple[object, ...]], confirmed: dict[int, int]) -> None:
    """Write a journal as version 1 did; a row is conversation, mine, number, place, at, text."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_VERSION_1)
        for conversation, upto in confirmed.items():
            row = (conversation, bytes((conversation,)) * 16, "bob", upto)
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?)", row)
        db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def test_messages_become_chunks(path: Path) -> None:
    """In their order, with their numbers; what is not confirmed waits."""
    rows = [
        (1, 1, 1, 1, 10, "a"),
        (1, 0, 1, 2, 11, "b\0"),
        (1, 0, 2, 3, 12, ""),
        (1, 1, 2, 4, 13, "c"),
        (2, 1, 1, 1, 14, "d"),
        (2, 1, 2, 2, 15, "x" * 65_536),
        (2, 1, 3, 3, 16, "e"),
    ]
    fill(path, rows, {1: 2, 2: 1, 3: 0})
    with closing(Journal(path)) as journal:
        delivered = [True] * 5 + [False] * 2
        assert list(journal.history("bob")) == [
            Record("bob", bool(mine), number, at_ms, text, known)
            for (_, mine, number, _, at_ms, text), known in zip(rows, delivered, strict=True)
        ]
        states = []
        for conversation in (1, 2, 3):
            found = journal.find(bytes((conversation,)) * 16)
            assert found is not None
            states.append(found.state)
        assert states == [Progress.FINISHED, Progress.OVER, Progress.FINISHED]
        assert [len(each.text) for each in journal.pending()] == [65_536, 1]
        assert journal.unsettled("bob") == [b"\2" * 16]
        assert journal.heard(b"\1" * 16, "bob", b"k" * 32) == 2
        assert [each.text for each in journal.history(search="c")] == ["c"]
    with closing(Journal(path)) as journal:
        assert len(list(journal.history())) == 7


def test_an_upgrade_that_is_killed_leaves_the_old_journal(path: Path) -> None:
    """The next one begins anew, and loses nothing."""
    # Speakers take turns of 97, so that there are many chunks.
    turns = [(n // 97 % 2, n) for n in range(MANY)]
    numbers = [0, 0]
    rows = []
    for mine, place in turns:
        numbers[mine] += 1
        rows.append((1, mine, numbers[mine], place + 1, place, f"text {place}"))
    fill(path, rows, {1: numbers[1]})
    with subprocess.Popen(
        [sys.executable, "-c", _UPGRADE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as upgrade:
        assert upgrade.stdout is not None
        assert upgrade.stdout.readline() == b"halfway\n"
        os.kill(upgrade.pid, signal.SIGKILL)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT COUNT(*) FROM messages").fetchone() == (MANY,)
    with closing(Journal(path)) as journal:
        texts = [each.text for each in journal.history("bob")]
        assert texts == [f"text {place}" for place in range(MANY)]
        assert list(journal.pending()) == []
