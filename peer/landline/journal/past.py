"""What was said: reading it in its order, making it searchable, searching.

The full-text index has a row for each text, whose id holds its chunk's id
and its place there. It is written when nothing else is to be done.
"""

import heapq
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from itertools import accumulate, groupby, islice
from operator import itemgetter
from typing import NamedTuple

from landline.journal.chunks import chunks_of
from landline.journal.file import File
from landline.journal.outbox import waiting
from landline.journal.records import Pending, Progress, Record, texts_of
from landline_protocol.frames import Text

TABLE = "USING fts5 (text, content = '', tokenize = 'unicode61 remove_diacritics 2')"
_PLACES = 4_096  # at least BATCH_ITEMS_MAX
_PAGE = 64
_HITS = 256
_INDEX_TEXTS = 10_000
_COLUMNS = (
    "chunks.id, other, mine, first, count, octets, CASE state WHEN 1 THEN first + count"
    " ELSE confirmed END FROM chunks JOIN conversations ON conversations.id = conversation"
)
_NEXT = f"SELECT {_COLUMNS} WHERE chunks.id > ? ORDER BY chunks.id LIMIT ?"
_THESE = f"SELECT {_COLUMNS} WHERE chunks.id IN ({', '.join('?' * _HITS)}) ORDER BY chunks.id"


class _Kept(NamedTuple):
    """A chunk with what its texts' records need; ``delivered`` is the last number that is."""

    id: int
    other: str
    mine: int
    first: int
    size: int
    octets: bytes
    delivered: int

    def record(self, number: int, text: Text) -> Record:
        delivered = not self.mine or number <= self.delivered
        return Record(self.other, bool(self.mine), number, text.at, text.text, delivered)


class _Search(NamedTuple):
    """What is searched for: words for the index, and what it does not know, like smileys."""

    match: str
    signs: list[str]


def records(
    file: File, other: str | None, search: str | None, since_ms: int | None
) -> Iterator[Record]:
    """Yield what was said, in the order of storing, then what waits in the outbox."""
    wanted = _parsed(search or "")
    with file.explained():
        for kept, number, text in _found(file, other, wanted):
            if since_ms is None or text.at >= since_ms:
                yield kept.record(number, text)
        for each in _among(waiting(file, other), wanted):
            if since_ms is None or each.at_ms >= since_ms:
                yield Record(each.other, True, None, each.at_ms, each.text, False)


def index(file: File, most: int) -> bool:
    """Make about ``most`` texts searchable, whole chunks; return whether some are left."""
    with file.explained():
        if not _left(file, 1):
            return False
    with file.transaction():
        left = _left(file, most)
        sums = accumulate((count for *_, count in left), initial=0)
        rows = [row for row, before in zip(left, sums, strict=False) if before < most]
        file.db.executemany(
            "INSERT INTO search (rowid, text) VALUES (?, ?)",
            (entry for row in rows for entry in _entries(*row)),
        )
        if rows:
            file.db.execute("UPDATE indexed SET upto = ?", (rows[-1][0],))
    return len(rows) < len(left) or len(left) == most


def unindex(file: File, id_: int, texts: list[tuple[int, str]]) -> None:
    """Take texts, given with their places in a chunk, out of the index; part of a transaction."""
    file.db.executemany(
        "INSERT INTO search (search, rowid, text) VALUES ('delete', ?, ?)",
        ((id_ * _PLACES + place, text) for place, text in texts),
    )


def indexed(file: File) -> int:
    """Return the id of the last chunk that the index knows; all before it are known, too."""
    return int(file.db.execute("SELECT upto FROM indexed").fetchone()[0])


def unindexed(file: File) -> int:
    """Return how many items the index does not know yet."""
    query = "SELECT TOTAL(count) FROM chunks WHERE id > (SELECT upto FROM indexed)"
    with file.explained():
        return int(file.db.execute(query).fetchone()[0])


def _left(file: File, most: int) -> list[tuple[int, int, bytes, int]]:
    return file.db.execute(
        "SELECT id, first, octets, count FROM chunks WHERE id > (SELECT upto FROM indexed)"
        " ORDER BY id LIMIT ?",
        (most,),
    ).fetchall()


def _entries(id_: int, first: int, octets: bytes, count: int) -> Iterator[tuple[int, str]]:
    base = id_ * _PLACES - first
    return ((base + number, text.text) for number, text in texts_of(first, octets, count))


def _found(file: File, other: str | None, wanted: _Search) -> Iterator[tuple[_Kept, int, Text]]:
    if wanted.match:
        texts = _by_index(file, wanted.match)
    else:
        chunks = _all_chunks(file) if other is None else _chunks_with(file, other)
        texts = (
            (kept, number, text)
            for kept in chunks
            for number, text in texts_of(kept.first, kept.octets, kept.size)
        )
    for kept, number, text in texts:
        if (other is None or kept.other == other) and _has(text.text, wanted.signs):
            yield kept, number, text


def _all_chunks(file: File) -> Iterator[_Kept]:
    after = 0
    while True:
        with file.explained():
            page = file.db.execute(_NEXT, (after, _PAGE)).fetchall()
        yield from map(_Kept._make, page)
        if len(page) < _PAGE:
            return
        after = page[-1][0]


def _chunks_with(file: File, other: str) -> Iterator[_Kept]:
    """Yield the chunks of one conversation after the other, which never overlap."""
    with file.explained():
        conversations = file.db.execute(
            "SELECT id, confirmed, state FROM conversations WHERE other = ? ORDER BY id", (other,)
        ).fetchall()
    for conversation, confirmed, state in conversations:
        directions = [chunks_of(file, conversation, mine=mine) for mine in (False, True)]
        for row in heapq.merge(*directions, key=itemgetter(0)):
            upto = row.first + row.size if state == Progress.FINISHED else confirmed
            yield _Kept(row.id, other, row.mine, row.first, row.size, row.octets, upto)


def _by_index(file: File, match: str) -> Iterator[tuple[_Kept, int, Text]]:
    while index(file, _INDEX_TEXTS):
        pass
    for hits in _pages_of_hits(file, match):
        places = {
            id_: [hit % _PLACES for hit in group]
            for id_, group in groupby(hits, lambda hit: hit // _PLACES)
        }
        ids = [*places, *([0] * (_HITS - len(places)))]
        with file.explained():
            page = file.db.execute(_THESE, ids).fetchall()
        for kept in map(_Kept._make, page):
            texts = dict(texts_of(kept.first, kept.octets, kept.size))
            for place in places[kept.id]:
                number = kept.first + place
                if number in texts:
                    yield kept, number, texts[number]


def _pages_of_hits(file: File, match: str) -> Iterator[list[int]]:
    after = 0
    while True:
        with file.explained():
            found = file.db.execute(
                "SELECT rowid FROM search WHERE search MATCH ? AND rowid > ? ORDER BY rowid LIMIT ?",
                (match, after, _HITS),
            )
            hits = [hit for (hit,) in found]
        if hits:
            yield hits
            after = hits[-1]
        if len(hits) < _HITS:
            return


def _among(texts: Iterator[Pending], wanted: _Search) -> Iterator[Pending]:
    """Yield those of the outbox, which has no index, by the same rules."""
    if wanted.match:
        texts = _matching(texts, wanted.match)
    return (each for each in texts if _has(each.text, wanted.signs))


def _matching(texts: Iterator[Pending], match: str) -> Iterator[Pending]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute(f"CREATE VIRTUAL TABLE search {TABLE}")
        while page := list(islice(texts, _HITS)):
            db.execute("INSERT INTO search (search) VALUES ('delete-all')")
            db.executemany(
                "INSERT INTO search (rowid, text) VALUES (?, ?)",
                ((place, each.text) for place, each in enumerate(page)),
            )
            found = db.execute(
                "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid", (match,)
            )
            yield from [page[place] for (place,) in found]


def _parsed(search: str) -> _Search:
    """Read what the user typed: every word must occur; a last one with ``*`` may go on."""
    typed = search.replace("\0", " ").encode(errors="replace").decode().split()
    words = [word for word in typed if any(map(_in_token, word))]
    match = " ".join(f'"{word.replace(chr(34), chr(34) * 2)}"' for word in words)
    if words and typed[-1] is words[-1] and typed[-1].endswith("*"):
        match += "*"
    return _Search(match, [word for word in typed if not any(map(_in_token, word))])


def _in_token(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "Co"


def _has(text: str, signs: list[str]) -> bool:
    return all(sign in text for sign in signs)
