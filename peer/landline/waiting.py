"""Waiting for calls: an iterator of callers that can be accepted or declined.

Ties a gate and one line after the other together: a fresh PAIR for each
caller. It prints nothing and asks nobody.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

import zmq

from landline import descriptors
from landline.calling import resumable
from landline.conversation import Conversation
from landline.courier import Courier
from landline.device import DeviceKey
from landline.ends import Engagements, Knocker, Listen
from landline.errors import InvalidInput, LandlineError, PortTaken, Unavailable
from landline.gate import Gate
from landline.journal import Journal
from landline.letters import Answer, Bound, HangUp, Knocked, Opened, Over
from landline.line import Line
from landline_protocol.errors import FailCode
from landline_protocol.frames import Accept, Decline
from landline_protocol.limits import REDIAL_S, RING_S, SAY_MAX
from landline_protocol.messages import Account

AGAIN_S = 0.5
"""How long after an attempt to listen that lacked descriptors the next one is made."""


class IncomingCall:
    """Someone calls: accept or decline.

    ``rings`` is false of a delivery: somebody has left messages, and nobody
    needs to be asked. ``resumed`` is true of a conversation that goes on after
    this program was started anew.
    """

    def __init__(self, line: Line, me: str, knocked: Knocked) -> None:
        self.caller = knocked.hello.caller
        self.rings = knocked.hello.ring
        self.resumed = knocked.resumed
        self._line = line
        self._me = me
        self._answered = False

    @property
    def ended(self) -> bool:
        """Whether the caller has given up, or it has rung for too long."""
        return self._line.ended

    def accept(self) -> Conversation:
        """Take the call.

        Raises:
            LandlineError: the caller has gone meanwhile, or the call has been answered.
        """
        if self._answered:
            raise LandlineError(f"the call of {self.caller} has been answered already")
        self._answered = True
        if not self.resumed:
            self._line.mailbox.put(Answer(Accept()))
        self._line.expect(Opened)
        return Conversation(self._line, self._me, self.caller)

    def decline(self, say: str = "") -> None:
        """Do not take the call; ``say``, up to 512 characters, is shown to the caller.

        Does nothing when the call has been answered.

        Raises:
            InvalidInput: ``say`` is too long or not Unicode.
        """
        _check_say(say)
        if not self._answered:
            self._answered = True
            if not self.resumed:
                self._line.mailbox.put(Answer(Decline(FailCode.DECLINED, say)))
            self._line.stop()


class Waiting:
    """This device waits for calls from ``with`` to its end, one caller at a time.

    Between two callers it listens anew. A call that the loop's body leaves
    unanswered is declined; a conversation that it leaves open is closed.
    Meanwhile a courier delivers what the outbox holds.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        key: DeviceKey,
        account: Account,
        journal: Callable[[], Journal],
        engagements: Engagements,
        gate: Gate,
        courier: Courier,
        notice: Callable[[str], None],
        ring_s: float = RING_S,
        redial_s: float = REDIAL_S,
        told: int = 0,
    ) -> None:
        self.account = account
        self.port = account.port
        self._context = context
        self._key = key
        self._journal = journal
        self._engagements = engagements
        self._gate = gate
        self._courier = courier
        self._notice = notice
        self._ring_s = ring_s
        self._redial_s = redial_s
        self._told = told
        self._line: Line | None = None
        self._call: IncomingCall | None = None
        self._vacant = True
        self._last: tuple[Knocker, ...] = ()
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            descriptors.allow_all()
            # The gate first: a bound PAIR without a gate would let nobody in.
            self._gate.on_end = self._wake
            self._gate.start()
            stack.callback(self._gate.stop)
            stack.callback(self._hang_up)
            self._listen()
            self._courier.start()
            stack.callback(self._courier.stop)
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._call is not None:
            # Whoever rings is told at once that nobody will answer.
            self._call.decline()
        self._resources.close()

    def __iter__(self) -> Iterator[IncomingCall]:
        while True:
            self.listen()
            line, knocked = self._next_knock()
            self._call = IncomingCall(line, self.account.name, knocked)
            yield self._call

    def listen(self) -> None:
        """Have done with the last call, and let callers in; the next turn of a loop does it, too.

        ``port`` is then where they find this device.
        """
        if self._call is not None:
            self._call.decline()
            self._call = None
            self._hang_up()
            self._listen()

    def _next_knock(self) -> tuple[Line, Knocked]:
        while True:
            assert self._line is not None
            notice = self._line.next()
            if isinstance(notice, Knocked):
                self._vacant = False
                guest = Knocker(notice.hello.caller, notice.key)
                self._last = (guest,)
                self._gate.engage(guest)
                return self._line, notice
            if isinstance(notice, Over):
                # Before a new line is made: in a context that ends none can be.
                self._gate.check()
                error = notice.error
                if not isinstance(error, Unavailable | None) and not descriptors.lacked(error):
                    raise error
                # Somebody was let in and did not come to ring.
                self._hang_up()
                self._listen()

    def _listen(self) -> None:
        """Let callers in; as long as too many files are open for that, try again and again."""
        told = False
        while True:
            try:
                self._let_in()
                return
            except (LandlineError, zmq.ZMQError, OSError) as error:
                if isinstance(error, zmq.ContextTerminated) or not descriptors.lacked(error):
                    raise
            self._hang_up()
            self._gate.check()
            if not told:
                self._notice("too many files are open; callers are let in again when some are not")
                told = True
            time.sleep(AGAIN_S)

    def _let_in(self) -> None:
        self._vacant = True
        self._bind(self.account.port)
        expected = self._last + self._resumable()
        try:
            self._gate.publish(self._told or self.port, expected)
        except PortTaken:
            if self._told:
                raise
            self._hang_up()
            self._bind(0)
            self._gate.publish(self.port, expected)

    def _resumable(self) -> tuple[Knocker, ...]:
        """Return whose conversations a program that died has left behind."""
        with closing(self._journal()) as journal:
            return tuple(
                Knocker(each.other, each.key) for each in resumable(journal) if not each.caller
            )

    def _bind(self, port: int) -> None:
        journal = self._journal()
        end = Listen(self.account.name, port, journal, self._ring_s, redial_s=self._redial_s)
        self._line = Line(self._context, self._key, end, journal, self._engagements)
        bound = self._line.expect(Bound).port
        if bound not in (self.port, self.account.port) and self.account.port:
            self._notice(f"port {self.account.port} is taken; listening on {bound} instead")
        self.port = bound

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.stop()

    def _wake(self) -> None:
        """The gate has ended: nobody can call any more. A conversation goes on."""
        if self._line is not None and self._vacant:
            self._line.mailbox.put(HangUp())


def _check_say(say: str) -> None:
    try:
        say.encode()
    except UnicodeEncodeError:
        raise InvalidInput("what is said to the caller is not valid Unicode") from None
    if len(say) > SAY_MAX:
        raise InvalidInput(f"what is said to the caller has at most {SAY_MAX} characters")
