"""The front door of the journal: conversations, and storing their chunks.

Written before the wire (sending) and before the acknowledgement (receiving).
An open journal belongs to one thread at a time; several programs may have the
file open. It knows nothing of links, windows or acknowledgements.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path

from landline.journal import forgetting, outbox, past
from landline.journal.chunks import chunks_of, last_of
from landline.journal.file import File
from landline.journal.records import (
    Beginning,
    KeptConversation,
    Pending,
    Posted,
    Progress,
    Record,
)
from landline.journal.schema import prepare
from landline_protocol.frames import Chunk

_STORE = (
    "INSERT INTO chunks (conversation, mine, at_ms, first, count, octets) VALUES (?, ?, ?, ?, ?, ?)"
)
# A statement is a transaction, too, and costs half of one.
_STORE_AT_ONCE = [_STORE + ", (?, ?, ?, ?, ?, ?)" * more for more in range(4)]
_KEPT = (
    "SELECT id, uuid, other, key, caller, host, port, at_ms, active_ms, confirmed, heard, state,"
    " cut FROM conversations"
)


class Journal:
    """An open journal.

    With ``keep_history`` false, the texts of conversations that are begun are
    only kept until they are delivered.

    Raises:
        JournalUnusable: the file cannot be opened, or another version made it.
    """

    def __init__(self, path: Path, *, keep_history: bool = True) -> None:
        self._keep_history = keep_history
        self._file = File(path)
        try:
            prepare(self._file)
            self._file.open_log()
        except BaseException:
            self._file.close()
            raise
        self._db = self._file.db

    def close(self) -> None:
        """Close the file; what was written is there."""
        self._file.close()

    # -- conversations -------------------------------------------------------

    def begin(self, beginning: Beginning) -> int:
        """Begin a conversation; any other with the same user is over. Return its number."""
        with self._file.transaction():
            self._db.execute(
                "UPDATE conversations SET state = ? WHERE other = ? AND state = ?",
                (Progress.OVER, beginning.other, Progress.IN_PROGRESS),
            )
            made = self._db.execute(
                "INSERT INTO conversations (uuid, other, key, caller, host, port, at_ms, fleeting)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*beginning, not self._keep_history),
            ).lastrowid
        assert made is not None
        return made

    def snapshot(self) -> AbstractContextManager[None]:
        """Return a ``with`` block in which nothing is seen that others write meanwhile.

        Nothing is written in it.
        """
        return self._file.snapshot()

    def discard(self, conversation: int) -> None:
        """Forget a conversation that was begun, and in which nothing was said or heard."""
        self._file.write(
            "DELETE FROM conversations WHERE id = ?"
            " AND NOT EXISTS (SELECT 1 FROM chunks WHERE conversation = conversations.id)",
            (conversation,),
        )

    def find(self, uuid: bytes) -> KeptConversation | None:
        """Return a conversation by its id."""
        with self._file.explained():
            row = self._db.execute(f"{_KEPT} WHERE uuid = ?", (uuid,)).fetchone()
        return None if row is None else self._kept(row)

    def in_progress(self, other: str | None = None) -> list[KeptConversation]:
        """Return the conversations that can be resumed, newest first."""
        with self._file.explained():
            found = self._db.execute(
                f"{_KEPT} WHERE state = ? AND other = COALESCE(?, other) ORDER BY id DESC",
                (Progress.IN_PROGRESS, other),
            ).fetchall()
        kept = map(self._kept, found)
        return [each for each in kept if each.state is Progress.IN_PROGRESS]

    def moved(self, conversation: int, host: str, port: int) -> None:
        """Note where the callee is now."""
        self._file.write(
            "UPDATE conversations SET host = ?, port = ? WHERE id = ?", (host, port, conversation)
        )

    def chunks(self, conversation: int, mine: bool) -> Iterator[Chunk]:
        """Yield every chunk of one direction, in order."""
        for row in chunks_of(self._file, conversation, mine=mine):
            yield Chunk(row.first, row.size, row.octets)

    def store(
        self,
        conversation: int,
        mine: Sequence[Chunk],
        heard: Sequence[Chunk],
        *,
        durable: bool,
        posted: Sequence[int] = (),
        at_ms: int,
    ) -> None:
        """Store chunks, all of them or none, and take what was ``posted`` out of the outbox.

        What was ``heard`` stands before what was said meanwhile.
        What is ``durable`` survives a power cut, and so does all that was stored before.
        """
        rows = [(conversation, 0, at_ms, *chunk) for chunk in heard]
        rows += [(conversation, 1, at_ms, *chunk) for chunk in mine]
        if len(rows) > len(_STORE_AT_ONCE) or posted:
            self._store_together(rows, posted, durable)
            return
        try:
            self._file.promise(durable=durable)
            self._db.execute(_STORE_AT_ONCE[len(rows) - 1], tuple(chain.from_iterable(rows)))
        except sqlite3.Error as error:
            raise self._file.unusable(error) from error

    def _store_together(
        self,
        rows: list[tuple[int, int, int, int, int, bytes]],
        posted: Sequence[int],
        durable: bool,
    ) -> None:
        with self._file.transaction(durable=durable):
            self._db.executemany(_STORE, rows)
            self._db.executemany("DELETE FROM outbox WHERE id = ?", ((id_,) for id_ in posted))

    def sync(self) -> None:
        """Return when all that was stored survives a power cut.

        May be called in a thread of its own while another one uses the journal.
        """
        self._file.sync()

    def confirm(self, conversation: int, upto: int) -> None:
        """Note that the other side has stored what was said here up to a number."""
        self._file.write(
            "UPDATE conversations SET confirmed = MAX(confirmed, ?) WHERE id = ?",
            (upto, conversation),
        )

    def finish(self, conversation: int, complete: bool) -> None:
        """Note that both have said bye, or that it will not be resumed.

        What has come to a good end stays so, however a later link of it ends.
        """
        state = Progress.FINISHED if complete else Progress.OVER
        self._file.write(
            "UPDATE conversations SET state = ? WHERE id = ? AND state <> ?",
            (state, conversation, Progress.FINISHED),
        )

    def _kept(self, row: Sequence[object]) -> KeptConversation:
        *columns, cut = row
        kept = KeptConversation._make(columns)
        heard, heard_ms = last_of(self._file, kept.id, mine=False)
        _, said_ms = last_of(self._file, kept.id, mine=True)
        return kept._replace(
            caller=bool(kept.caller),
            active_ms=max(kept.at_ms, kept.active_ms, heard_ms, said_ms),
            heard=max(kept.heard, heard),
            # Nobody can go on with what is not whole; who has it in hand does not ask here.
            state=Progress.OVER if cut else Progress(kept.state),
        )

    # -- settling ------------------------------------------------------------

    def unsettled(self, other: str) -> list[bytes]:
        """Return the conversations that are over and have unconfirmed texts, newest first.

        Settled in this order, the oldest text is the first to be said again.
        """
        return outbox.unsettled(self._file, other)

    def heard(self, uuid: bytes, other: str, key: bytes) -> int:
        """Return how many items of a conversation are stored; it will not be resumed.

        They survive a power cut. It is 0 when there is none with this user and device.
        """
        kept = self.find(uuid)
        # Version 1 did not keep the key.
        if kept is None or kept.other != other or kept.key not in (key, b""):
            return 0
        if kept.state is Progress.IN_PROGRESS:
            self.finish(kept.id, complete=False)
        # Whoever stored them may have died before they were synced.
        self.sync()
        return kept.heard

    def settle(self, uuid: bytes, upto: int) -> None:
        """Note what the other has stored; the texts beyond go back to the outbox."""
        forgetting.settle(self._file, uuid, upto)

    # -- outbox --------------------------------------------------------------

    def post(self, other: str, texts: Iterable[tuple[int, str]]) -> None:
        """Let texts wait for ``other``; they survive a power cut.

        ``texts`` yields when each was written and what it says. While it is
        read, nobody else can write.
        """
        outbox.post(self._file, other, texts)

    def posted(self, other: str, most: int) -> list[Posted]:
        """Return up to ``most`` texts that wait for ``other``, those to be said first."""
        return outbox.posted(self._file, other, most)

    def addressees(self) -> list[str]:
        """Return whom something waits for, in the outbox or in what broke off."""
        return outbox.addressees(self._file)

    def pending(self, other: str | None = None) -> Iterator[Pending]:
        """Yield every text that nobody is known to have, oldest first."""
        return outbox.pending(self._file, other)

    # -- history -------------------------------------------------------------

    def history(
        self,
        other: str | None = None,
        *,
        search: str | None = None,
        since_ms: int | None = None,
    ) -> Iterator[Record]:
        """Yield what was said, oldest first; then what waits to be.

        Every word of ``search`` must occur; the last one may end in ``*``.
        """
        return past.records(self._file, other, search, since_ms)

    def index(self, most: int) -> bool:
        """Make about ``most`` texts searchable; return whether some are left."""
        return self._keep_history and past.index(self._file, most)

    def unsearchable(self) -> int:
        """Return how many texts and byes the next search makes searchable first."""
        return past.unindexed(self._file)

    def forget(self, other: str | None = None, before_ms: int | None = None) -> int:
        """Take out what was delivered, and return how many texts that were.

        Nothing of them is left in the file.
        """
        return forgetting.forget(self._file, other, before_ms)

    def sweep(self, conversation: int | None = None) -> None:
        """Take out what was delivered of a conversation that was begun without history.

        Without a conversation: of all those that have ended.
        """
        forgetting.sweep(self._file, conversation)

    # -- blocked users -------------------------------------------------------

    def block(self, name: str) -> None:
        """Let a user not call here any more."""
        self._file.write("INSERT OR IGNORE INTO blocked (name) VALUES (?)", (name,))

    def unblock(self, name: str) -> bool:
        """Let a user call again; return whether that was forbidden."""
        return self._file.write("DELETE FROM blocked WHERE name = ?", (name,)) > 0

    def blocked(self) -> list[str]:
        """Return who is blocked, by name."""
        with self._file.explained():
            return [name for (name,) in self._db.execute("SELECT name FROM blocked ORDER BY name")]

    def is_blocked(self, name: str) -> bool:
        with self._file.explained():
            found = self._db.execute("SELECT 1 FROM blocked WHERE name = ?", (name,))
            return found.fetchone() is not None
