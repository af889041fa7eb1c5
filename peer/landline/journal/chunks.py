"""Reading chunks: a page at a time, so that nobody who reads slowly holds the file."""

from collections.abc import Iterator
from typing import NamedTuple

from landline.journal.file import File

_PAGE = 64


class Row(NamedTuple):
    """A chunk as it is kept."""

    id: int
    mine: int
    first: int
    size: int
    octets: bytes


def chunks_of(file: File, conversation: int, *, mine: bool, upto: int = 0) -> Iterator[Row]:
    """Yield the chunks of one direction that go beyond the number ``upto``, in their order."""
    with file.explained():
        begins = file.db.execute(
            "SELECT MAX(first) FROM chunks WHERE conversation = ? AND mine = ? AND first <= ? + 1",
            (conversation, mine, upto),
        ).fetchone()[0]
    after = 0 if begins is None else begins - 1
    while True:
        with file.explained():
            page = file.db.execute(
                "SELECT id, mine, first, count, octets FROM chunks"
                " WHERE conversation = ? AND mine = ? AND first > ? ORDER BY first LIMIT ?",
                (conversation, mine, after, _PAGE),
            ).fetchall()
        for row in page:
            chunk = Row._make(row)
            if chunk.first + chunk.size - 1 > upto:
                yield chunk
        if len(page) < _PAGE:
            return
        after = page[-1][2]


def last_of(file: File, conversation: int, *, mine: bool) -> tuple[int, int]:
    """Return the last number of one direction, and when it was stored; zeros for none."""
    with file.explained():
        found: tuple[int, int] | None = file.db.execute(
            "SELECT first + count - 1, at_ms FROM chunks WHERE conversation = ? AND mine = ?"
            " ORDER BY first DESC LIMIT 1",
            (conversation, mine),
        ).fetchone()
    return found or (0, 0)
