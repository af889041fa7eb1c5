"""Taking texts out of the journal so that nothing of them is left.

What this side said and the other is not known to have is never taken out.
How far a conversation was heard and confirmed is still known afterwards.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from sys import maxsize

from landline.errors import JournalUnusable
from landline.journal.chunks import Row, chunks_of, last_of
from landline.journal.file import File
from landline.journal.outbox import put_first, unconfirmed
from landline.journal.past import indexed, unindex
from landline.journal.records import Progress, items_of, octets_of
from landline_protocol.frames import Item, Text, split_items

# Beyond this it is cheaper to build the index anew, when there is time, than to mend it.
_MANY = 10_000
_CONVERSATIONS = "SELECT id, confirmed, state FROM conversations"
_FLEETING = f"{_CONVERSATIONS} WHERE fleeting AND state != 0"


def forget(file: File, other: str | None, before_ms: int | None) -> int:
    """Take out what was said with ``other`` before a time; return how many texts that were.

    Raises:
        JournalUnusable: nothing was taken out, or another program reads what was.
    """
    with file.transaction(durable=True):
        if other is None:
            found = file.db.execute(_CONVERSATIONS)
        else:
            found = file.db.execute(f"{_CONVERSATIONS} WHERE other = ?", (other,))
        gone = _take_out(file, found.fetchall(), before_ms)
    if gone:
        _give_back(file)
    return gone


def sweep(file: File, conversation: int | None) -> None:
    """Take out what is not to be kept, of one conversation or of those that have ended."""
    with file.explained():
        if conversation is None:
            found = file.db.execute(_FLEETING).fetchall()
        else:
            query = f"{_CONVERSATIONS} WHERE fleeting AND id = ?"
            found = file.db.execute(query, (conversation,)).fetchall()
    if any(_has_chunks(file, conversation) for conversation, *_ in found):
        with file.transaction():
            _take_out(file, found, None)


def _has_chunks(file: File, conversation: int) -> bool:
    query = "SELECT 1 FROM chunks WHERE conversation = ? LIMIT 1"
    return file.db.execute(query, (conversation,)).fetchone() is not None


def settle(file: File, uuid: bytes, upto: int) -> None:
    """Note what the other has stored; the texts beyond go back to the outbox."""
    with file.transaction(durable=True):
        query = "SELECT id, other, confirmed FROM conversations WHERE uuid = ?"
        found = file.db.execute(query, (uuid,)).fetchone()
        if found is None:
            return
        conversation, other, confirmed = found
        upto = max(upto, confirmed)
        texts = [(text.at_ms, text.text) for text in unconfirmed(file, conversation, other, upto)]
        put_first(file, other, texts)
        _cut_beyond(file, conversation, upto)
        file.db.execute(
            "UPDATE conversations SET confirmed = ?, state = CASE state WHEN ? THEN ? ELSE state END"
            " WHERE id = ?",
            (upto, Progress.IN_PROGRESS, Progress.OVER, conversation),
        )


def _cut_beyond(file: File, conversation: int, upto: int) -> None:
    """Take out this side's items beyond a number; part of a transaction."""
    reach = indexed(file)
    for row in chunks_of(file, conversation, mine=True, upto=upto):
        kept = max(0, upto + 1 - row.first)
        if row.id <= reach:
            items = items_of(row.octets, row.size)
            beyond = [item if place >= kept else None for place, item in enumerate(items)]
            unindex(file, row.id, _texts(beyond))
        if kept:
            octets = b"".join(split_items(row.octets, row.size)[:kept])
            statement = "UPDATE chunks SET count = ?, octets = ? WHERE id = ?"
            file.db.execute(statement, (kept, octets, row.id))
        else:
            file.db.execute("DELETE FROM chunks WHERE id = ?", (row.id,))
    _note_reach(file, reach)


def _take_out(
    file: File, conversations: Iterable[tuple[int, int, int]], before_ms: int | None
) -> int:
    reach = indexed(file)
    total = 0
    unindexed = 0
    for conversation, confirmed, state in conversations:
        heard, heard_ms = last_of(file, conversation, mine=False)
        _, said_ms = last_of(file, conversation, mine=True)
        upto = maxsize if state == Progress.FINISHED else confirmed
        changed = False
        for mine, limit in ((False, maxsize), (True, upto)):
            for row in chunks_of(file, conversation, mine=mine):
                if row.first > limit:
                    break
                taken = _taken(row, limit, before_ms)
                if not any(taken):
                    continue
                changed = True
                texts = _texts(taken)
                total += len(texts)
                if row.id <= reach:
                    unindexed += len(texts)
                    reach = _unindex(file, row.id, texts, unindexed, reach)
                _keep_rest(file, row, taken)
        if changed:
            file.db.execute(
                "UPDATE conversations SET cut = 1, heard = MAX(heard, ?),"
                " active_ms = MAX(active_ms, ?) WHERE id = ?",
                (heard, max(heard_ms, said_ms), conversation),
            )
    _note_reach(file, reach)
    if 0 < unindexed <= _MANY:
        # What was deleted from the index stays in its older parts until they are joined.
        file.db.execute("INSERT INTO search (search) VALUES ('optimize')")
    return total


def _unindex(file: File, id_: int, texts: list[tuple[int, str]], unindexed: int, reach: int) -> int:
    """Take texts out of the index, or all of them if these are many; return how far it reaches."""
    if unindexed <= _MANY:
        unindex(file, id_, texts)
        return reach
    file.db.execute("INSERT INTO search (search) VALUES ('delete-all')")
    file.db.execute("UPDATE indexed SET upto = 0")
    return 0


def _taken(row: Row, limit: int, before_ms: int | None) -> list[Item | None]:
    """Return the items of a chunk that are to go, ``None`` for each of the others."""
    return [
        item
        if item is not None and number <= limit and (before_ms is None or item.at < before_ms)
        else None
        for number, item in enumerate(items_of(row.octets, row.size), row.first)
    ]


def _keep_rest(file: File, row: Row, taken: list[Item | None]) -> None:
    items = items_of(row.octets, row.size)
    rest = [None if gone else item for item, gone in zip(items, taken, strict=True)]
    if any(rest):
        statement = "UPDATE chunks SET octets = ? WHERE id = ?"
        file.db.execute(statement, (octets_of(rest), row.id))
    else:
        file.db.execute("DELETE FROM chunks WHERE id = ?", (row.id,))


def _texts(items: list[Item | None]) -> list[tuple[int, str]]:
    return [(place, item.text) for place, item in enumerate(items) if type(item) is Text]


def _note_reach(file: File, reach: int) -> None:
    """The ids of chunks that went may come again, for chunks that are not in the index."""
    last = file.db.execute("SELECT MAX(id) FROM chunks").fetchone()[0] or 0
    if last < reach:
        file.db.execute("UPDATE indexed SET upto = ?", (last,))


def _give_back(file: File) -> None:
    """Make the file smaller, and leave nothing in the write-ahead log either."""
    with file.explained():
        # Without room for the copy the file stays as large as it is, its free pages empty.
        with suppress(sqlite3.OperationalError):
            file.db.execute("VACUUM")
        busy = file.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise JournalUnusable(
            f"what was forgotten may still be in {file.path}-wal, because another program reads"
            " the journal; end that, then start landline once more"
        )
