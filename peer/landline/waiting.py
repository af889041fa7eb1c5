"""Waiting for calls: an iterator of callers that can be accepted or declined.

Ties a gate and one link after the other together: a fresh PAIR for each
caller. It prints nothing and asks nobody.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from landline.conversation import Conversation
from landline.ends import Listen
from landline.errors import InvalidInput, LandlineError, PortTaken, Unavailable
from landline.gate import Gate
from landline.home import DeviceKey
from landline.journal import Journal
from landline.line import Bound, Control, HangUp, Knocked, Opened, Over
from landline.link import Link
from landline_protocol.errors import FailCode
from landline_protocol.frames import Accept, Decline
from landline_protocol.limits import RING_S, SAY_MAX
from landline_protocol.messages import Account


class IncomingCall:
    """Someone calls: accept or decline."""

    def __init__(self, link: Link, me: str, caller: str) -> None:
        self.caller = caller
        self._link = link
        self._me = me
        self._answered = False

    @property
    def ended(self) -> bool:
        """Whether the caller has given up, or it has rung for too long."""
        return self._link.ended

    def accept(self) -> Conversation:
        """Take the call.

        Raises:
            LandlineError: the caller has gone meanwhile, or the call has been answered.
        """
        if self._answered:
            raise LandlineError(f"the call of {self.caller} has been answered already")
        self._answered = True
        self._link.mailbox.put(Control(Accept()))
        self._link.expect(Opened)
        return Conversation(self._link, self._me, self.caller)

    def decline(self, say: str = "") -> None:
        """Do not take the call; ``say``, up to 512 characters, is shown to the caller.

        Does nothing when the call has been answered.

        Raises:
            InvalidInput: ``say`` is too long or not Unicode.
        """
        _check_say(say)
        if not self._answered:
            self._answered = True
            self._link.mailbox.put(Control(Decline(FailCode.DECLINED, say)))
            self._link.stop()


class Waiting:
    """This device waits for calls from ``with`` to its end, one caller at a time.

    Between two callers it listens anew. A call that the loop's body leaves
    unanswered is declined; a conversation that it leaves open is closed.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        key: DeviceKey,
        account: Account,
        journal: Path,
        gate: Gate,
        notice: Callable[[str], None],
        ring_s: float = RING_S,
    ) -> None:
        self.account = account
        self.port = account.port
        self._context = context
        self._key = key
        self._journal = journal
        self._gate = gate
        self._notice = notice
        self._ring_s = ring_s
        self._link: Link | None = None
        self._vacant = True
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # The gate first: a bound PAIR without a gate would let nobody in.
            self._gate.on_end = self._wake
            self._gate.start()
            stack.callback(self._gate.stop)
            stack.callback(self._hang_up)
            self._listen()
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def __iter__(self) -> Iterator[IncomingCall]:
        while True:
            link, caller = self._next_knock()
            call = IncomingCall(link, self.account.name, caller)
            yield call
            call.decline()
            self._hang_up()
            self._listen()

    def _next_knock(self) -> tuple[Link, str]:
        while True:
            assert self._link is not None
            notice = self._link.next()
            if isinstance(notice, Knocked):
                self._vacant = False
                self._gate.engage()
                return self._link, notice.hello.caller
            if isinstance(notice, Over):
                # Before a new link is made: in a context that ends none can be.
                self._gate.check()
                if not isinstance(notice.error, Unavailable | None):
                    raise notice.error
                # Somebody was let in and did not come to ring.
                self._hang_up()
                self._listen()

    def _listen(self) -> None:
        self._vacant = True
        self._bind(self.account.port)
        try:
            self._gate.publish(self.port)
        except PortTaken:
            self._hang_up()
            self._bind(0)
            self._gate.publish(self.port)

    def _bind(self, port: int) -> None:
        journal = Journal(self._journal)
        end = Listen(self.account.name, port, journal.knows, self._ring_s)
        self._link = Link(self._context, self._key, end, journal)
        bound = self._link.expect(Bound).port
        if bound not in (self.port, self.account.port) and self.account.port:
            self._notice(f"port {self.account.port} is taken; listening on {bound} instead")
        self.port = bound

    def _hang_up(self) -> None:
        if self._link is not None:
            self._link.stop()

    def _wake(self) -> None:
        """The gate has ended: nobody can call any more. A conversation goes on."""
        if self._link is not None and self._vacant:
            self._link.mailbox.put(HangUp())


def _check_say(say: str) -> None:
    try:
        say.encode()
    except UnicodeEncodeError:
        raise InvalidInput("what is said to the caller is not valid Unicode") from None
    if len(say) > SAY_MAX:
        raise InvalidInput(f"what is said to the caller has at most {SAY_MAX} characters")
