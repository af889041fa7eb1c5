"""One line of this peer: its two threads, started and stopped together.

Owns the mailbox, the notices and the journal's connection on behalf of the
threads. It sees no frame and decides nothing about the conversation.
"""

import itertools
from queue import Empty, SimpleQueue
from typing import TypeVar

import zmq

from landline.deadline import Deadline
from landline.device import DeviceKey
from landline.ends import Dial, Engagements, Listen
from landline.errors import LandlineError
from landline.journal import Journal
from landline.letters import Bound, HangUp, Held, LineGone, Mailbox, Notice, Notices, Over, Room
from landline.receiver import Receiver
from landline.sender import Sender

ROOM = 4 * 1_048_576
"""How many characters may wait for the wire before ``send`` waits."""
JOIN_S = 5.0
"""How long a line may take to end when it is told to."""
GLANCE_S = 1.0
"""How long one waits at a time: a signal that comes just before a wait does not end it."""

_serial = itertools.count(1)

N = TypeVar("N", bound=Notice)


class Line:
    """A call and the conversation that it becomes, seen from the application's thread.

    The journal is the line's from the first moment, and is closed with it.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        key: DeviceKey,
        end: Dial | Listen,
        journal: Journal,
        engagements: Engagements,
    ) -> None:
        self.mailbox: Mailbox = SimpleQueue()
        held: Held = SimpleQueue()
        self.room = Room(ROOM, self.mailbox)
        self._journal = journal
        self._notices: Notices = SimpleQueue()
        self._over: Over | None = None
        control = f"inproc://landline-line-{next(_serial)}"
        self._sender = Sender(
            context,
            journal,
            engagements,
            control,
            self.mailbox,
            held,
            self._notices,
            self.room,
            end.redial_s,
        )
        self._receiver = Receiver(
            context, key, end, engagements, control, self.mailbox, held, self._notices
        )
        self._start()

    @property
    def ended(self) -> bool:
        """Whether both threads are done; notices may still wait to be read."""
        return not (self._sender.is_alive() or self._receiver.is_alive())

    def next(self, seconds: float | None = None) -> Notice | None:
        """Return the next notice, or ``None`` when ``seconds`` have passed.

        After ``Over`` it returns ``Over`` for ever.
        """
        if self._over is not None:
            return self._over
        if seconds == 0.0 and self._notices.empty():
            return None
        while True:
            try:
                notice = self._notices.get(timeout=GLANCE_S if seconds is None else seconds)
                break
            except Empty:
                if seconds is not None:
                    return None
        if type(notice) is Over:
            self._over = notice
            # For another thread that may be waiting here, too.
            self._notices.put(notice)
            # It is the threads' last word; who has read it finds them done.
            self.join(Deadline(JOIN_S))
        return notice

    def expect(self, kind: type[N]) -> N:
        """Return the next notice, which is a ``kind``.

        Raises:
            LandlineError: the line ended instead.
        """
        notice = self.next()
        if isinstance(notice, kind):
            return notice
        if isinstance(notice, Over) and notice.error is not None:
            raise notice.error
        raise LandlineError(f"the line said {type(notice).__name__}, not {kind.__name__}")

    def join(self, deadline: Deadline) -> bool:
        """Wait until both threads are done; false when the deadline comes first."""
        for thread in (self._sender, self._receiver):
            if thread.ident is not None:
                thread.join(deadline.remaining())
        return self.ended

    def stop(self) -> None:
        """End the line now, whatever was still to be said. May be called again."""
        self.mailbox.put(HangUp())
        self.join(Deadline(JOIN_S))

    def _start(self) -> None:
        # The receiver connects to what the sender has bound, and nothing may
        # be handed over before it has.
        try:
            self._sender.start()
            self._sender.ready.wait()
            if not self._sender.bound:
                self.expect(Bound)
            self._receiver.start()
            self._receiver.ready.wait()
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        """Undo a start that did not come to its end."""
        if self._sender.ident is None:
            self._journal.close()
        if self._receiver.ident is None:
            self.mailbox.put(LineGone(None))
        else:
            # What the sender tells it before is lost.
            self._receiver.ready.wait()
        self.stop()
