"""What waits: texts that belong to no conversation yet, or to one that broke off.

The ids of the outbox are in the order in which its texts are to be said. What
comes back out of a conversation that is over is said before all that waits.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from landline.journal.chunks import chunks_of
from landline.journal.file import File
from landline.journal.records import Pending, Posted, Progress, last_text_of, texts_of

_PAGE = 500
# Conversations whose last chunk of this side goes beyond what is confirmed.
_OPEN_ENDED = (
    "SELECT conversations.id, uuid, other, confirmed, first, octets, count"
    " FROM conversations JOIN chunks ON chunks.id = ("
    " SELECT id FROM chunks WHERE conversation = conversations.id AND mine = 1"
    " ORDER BY first DESC LIMIT 1)"
    " WHERE state = ? AND first + count - 1 > confirmed"
)


def post(file: File, other: str, texts: Iterable[tuple[int, str]]) -> None:
    """Put texts behind all that waits for ``other``."""
    with file.transaction(durable=True):
        file.db.executemany(
            "INSERT INTO outbox (other, at_ms, text) VALUES (?, ?, ?)",
            ((other, at_ms, text) for at_ms, text in texts),
        )


def put_first(file: File, other: str, texts: Sequence[tuple[int, str]]) -> None:
    """Put texts before all that waits; part of a transaction."""
    lowest = file.db.execute("SELECT MIN(id) FROM outbox").fetchone()[0]
    start = (1 if lowest is None else lowest) - len(texts)
    file.db.executemany(
        "INSERT INTO outbox (id, other, at_ms, text) VALUES (?, ?, ?, ?)",
        ((place, other, at_ms, text) for place, (at_ms, text) in enumerate(texts, start)),
    )


def posted(file: File, other: str, most: int) -> list[Posted]:
    """Return up to ``most`` texts that wait for ``other``, those to be said first."""
    with file.explained():
        found = file.db.execute(
            "SELECT id, at_ms, text FROM outbox WHERE other = ? ORDER BY id LIMIT ?",
            (other, most),
        )
        return [Posted(*row) for row in found]


def waiting(file: File, other: str | None) -> Iterator[Pending]:
    """Yield the texts of the outbox, in their order."""
    if other is None:
        query = "SELECT id, other, at_ms, text FROM outbox WHERE id > ? ORDER BY id LIMIT ?"
        values: tuple[str, ...] = ()
    else:
        query = (
            "SELECT id, other, at_ms, text FROM outbox WHERE other = ? AND id > ?"
            " ORDER BY id LIMIT ?"
        )
        values = (other,)
    after = -(2**63)
    while True:
        with file.explained():
            page = file.db.execute(query, (*values, after, _PAGE)).fetchall()
        for after, *row in page:  # noqa: B007 - the next page begins behind it
            yield Pending(*row)
        if len(page) < _PAGE:
            return


def pending(file: File, other: str | None) -> Iterator[Pending]:
    """Yield every text that is not confirmed, oldest first."""
    streams = [waiting(file, other)]
    for conversation, _, name, confirmed in _open_ended(file, other):
        streams.append(unconfirmed(file, conversation, name, confirmed))
    with file.explained():
        yield from heapq.merge(*streams, key=itemgetter(1))


def addressees(file: File) -> list[str]:
    """Return whom something waits for."""
    with file.explained():
        found = {name for (name,) in file.db.execute("SELECT DISTINCT other FROM outbox")}
    return sorted(found.union(name for _, _, name, _ in _open_ended(file, None)))


def unsettled(file: File, other: str) -> list[bytes]:
    """Return the conversations that are over and have unconfirmed texts, newest first."""
    found = [uuid for _, uuid, *_ in _open_ended(file, other, (Progress.OVER,))]
    return found[::-1]


def _open_ended(
    file: File,
    other: str | None,
    states: Iterable[Progress] = (Progress.OVER, Progress.IN_PROGRESS),
) -> list[tuple[int, bytes, str, int]]:
    """Return id, uuid, other and confirmed where a text is not confirmed, oldest first."""
    with file.explained():
        rows = []
        for state in states:
            if other is None:
                rows += file.db.execute(_OPEN_ENDED, (state,)).fetchall()
            else:
                rows += file.db.execute(f"{_OPEN_ENDED} AND other = ?", (state, other)).fetchall()
        return sorted(
            (conversation, uuid, name, confirmed)
            for conversation, uuid, name, confirmed, *last in rows
            if last_text_of(*last) > confirmed
        )


def unconfirmed(file: File, conversation: int, other: str, confirmed: int) -> Iterator[Pending]:
    """Yield the texts of this side beyond what is confirmed, in their order."""
    for row in chunks_of(file, conversation, mine=True, upto=confirmed):
        for number, text in texts_of(row.first, row.octets, row.size):
            if number > confirmed:
                yield Pending(other, text.at, text.text)
