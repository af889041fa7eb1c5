"""A conversation, as an application holds it: send, read events, say bye.

The public face of one line. Any thread may ``send``; one thread reads. It
knows no sockets and no frames.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from landline.deadline import Deadline
from landline.errors import ConversationBroken, InvalidInput, LandlineError
from landline.events import (
    Delivered,
    Ended,
    Event,
    Message,
    Reconnected,
    Reconnecting,
    SaidBye,
)
from landline.letters import Arrived, Over, Read
from landline.line import Line
from landline_protocol.conversation import UnfitText, check_text
from landline_protocol.frames import Text
from landline_protocol.limits import TEXT_MAX, WINDOW

LINGER_S = 10.0
"""How long leaving the ``with`` block waits for the other's bye."""


class Conversation:
    """What two people say to each other until both have said bye.

    Leaving a ``with`` block says bye, if it was not said, and waits up to ten
    seconds for the other's.
    """

    def __init__(self, line: Line, me: str, other: str) -> None:
        self.me = me
        self.other = other
        self._line = line
        self._unread: deque[Event] = deque()
        self._unread_octets = 0
        self._ended = False

    def send(self, text: str) -> int:
        """Say ``text`` (at most 65,536 octets of UTF-8) and return its number.

        What is said here is numbered 1, 2, 3 …; ``Delivered`` names the number
        up to which the other side has stored it. Waits while more than four
        million characters wait for the wire, also while the connection is lost.

        Raises:
            InvalidInput: the text is too long or not Unicode; nothing was sent.
            ConversationBroken: the conversation has ended, or you have said bye.
        """
        try:
            check_text(text)
        except UnfitText as error:
            raise InvalidInput(f"{error}; nothing was sent") from None
        return self._line.room.put(Text(_now_ms(), text))

    def send_all(self, texts: Sequence[str]) -> int:
        """Say many texts, all or none of them, and return the number of the last.

        Raises: as ``send``.
        """
        try:
            _check(texts)
        except UnfitText as error:
            raise InvalidInput(f"{error}; nothing was sent") from None
        at_ms = _now_ms()
        return self._line.room.put_all([Text(at_ms, text) for text in texts])

    def bye(self) -> None:
        """Say that this side has said all; the other's words still come. Idempotent."""
        self._line.room.put_bye(_now_ms())

    def events(self) -> Iterator[Event]:
        """Yield what happens, until ``Ended``.

        A broken connection is replaced, told by ``Reconnecting`` and ``Reconnected``.

        Raises:
            ConversationBroken: it broke off; ``unconfirmed`` says how many
                messages from here may not have arrived.
            RecordsDiffer: the two sides do not hold the same.
            LandlineError: the journal cannot be written any more.
        """
        while (event := self.next_event()) is not None:
            yield event

    def next_event(self, seconds: float | None = None) -> Event | None:
        """Return the next event, or ``None`` after the last one or ``seconds``.

        Raises: as ``events``.
        """
        if not self._unread:
            self._unread.extend(self.next_events(seconds))
        return self._unread.popleft() if self._unread else None

    def next_events(self, seconds: float | None = None) -> list[Event]:
        """Return all that has happened and was not returned yet, at least one event.

        The list is empty after the last event, or when nothing has happened for
        ``seconds``. The other side can say about a million octets more than
        what was returned before the last call.

        Raises: as ``events``.
        """
        events = list(self._unread)
        self._unread.clear()
        if not events:
            self._read()
        while (notice := self._line.next(0.0 if events else seconds)) is not None:
            if isinstance(notice, Arrived):
                events += notice.events
                self._unread_octets += notice.octets
            elif isinstance(notice, Delivered | Ended | Reconnecting | Reconnected):
                events.append(notice)
            elif isinstance(notice, Over):
                # It is said again to whoever asks again.
                if not events:
                    self._over(notice)
                break
        return events

    def messages(self) -> Iterator[Message]:
        """Yield what the other says, until their bye. Raises as ``events``."""
        for event in self.events():
            if isinstance(event, Message):
                yield event
            elif isinstance(event, SaidBye):
                return

    def close(self, linger: float = LINGER_S) -> None:
        """Say bye, wait up to ``linger`` seconds for the other's, and end.

        What the other says meanwhile is in the history. May be called again.

        Raises: as ``events``, unless the end was told before; when the time
            is up only if messages from here may not have arrived.
        """
        self.bye()
        try:
            self._read_on(Deadline(linger))
        finally:
            self._line.stop()
        try:
            self._read_on(Deadline(None))
        except ConversationBroken as broken:
            if broken.unconfirmed:
                raise

    def hang_up(self) -> None:
        """End at once, without a bye. The history keeps what was said."""
        self._ended = True
        self._line.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close(linger=1.0)
        except LandlineError:
            # The error that ends the block is the one to be seen.
            self.hang_up()

    def _read_on(self, deadline: Deadline) -> None:
        """Read until the end, if it has not been told, or until the deadline."""
        while not self._ended and self.next_event(deadline.remaining()) is not None:
            pass

    def _over(self, over: Over) -> None:
        self._ended = True
        if over.error is not None:
            raise over.error

    def _read(self) -> None:
        """Tell the sender that what was returned so far has been read."""
        # Told in lumps: each letter wakes the sender.
        if self._unread_octets >= WINDOW // 8:
            self._line.mailbox.put(Read(self._unread_octets))
            self._unread_octets = 0


def _check(texts: Sequence[str]) -> None:
    """Check that texts can be said; a text has at most four octets for each character."""
    try:
        "".join(texts).encode()
        looked_into: Sequence[str] = [text for text in texts if len(text) > TEXT_MAX // 4]
    except UnicodeEncodeError:
        looked_into = texts
    for text in looked_into:
        check_text(text)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
