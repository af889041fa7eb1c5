"""The gate of a waiting peer: who may knock, and that the broker knows we wait.

One thread owns the ZAP handler of the peer's context and a broker client. It
publishes the endpoint, renews the lease, and lets in only those whom the
broker vets, and those whose conversation can go on. While a conversation is on
it lets in only whoever holds it, should the link break, and its connection to
the broker is open only for the moment of a renewal.
"""

import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import zmq

from landline.client import BrokerClient
from landline.deadline import Deadline
from landline.device import DeviceKey
from landline.ends import Knocker
from landline.errors import BrokerUnreachable, ConversationBroken, LandlineError, NotWaiting
from landline.pair import ZAP_DOMAIN
from landline_protocol.invite import Invite
from landline_protocol.limits import DIAL_S, KEY_OCTETS
from landline_protocol.messages import Done, Leased, Leave, Renew, Vet, Vetted, Wait

VET_S = 4.0
"""How long the broker may take to vet a key before the knock is refused."""
VET_EXPECTED_S = 1.0
"""How long it may take if whoever knocks is let in anyway: they redial every three seconds."""
RENEW_S = 5.0
"""How long the broker may take to note where this peer waits, or to prolong it."""
RETRY_S = 5.0
"""How long after a failed renewal the next one is tried."""
RENEW_LEAST_S = 0.1
"""The least time between two renewals, however short the lease is."""
VETS_AT_ONCE = 10
VETS_A_SECOND = 5.0
"""How many strangers' keys of one address the broker is asked about; further
knocks are refused."""
ADDRESSES_MOST = 1_000
"""How many addresses are kept count of; while all of them knock, further ones
are refused."""


@dataclass(frozen=True)
class _Order:
    """Something the application wants of the gate's thread.

    To wait at ``port`` and let those back in who are ``expected``, or to be
    engaged by ``guest``, or nothing.
    """

    port: int | None = None
    expected: tuple[Knocker, ...] = ()
    guest: Knocker | None = None
    answer: "Future[None]" = field(default_factory=Future)


class Gate(threading.Thread):
    """Stands at the endpoint of a waiting peer.

    ``notice`` takes lines for the user; ``blocked`` says of a user whether
    they are let in. ``on_end`` is called in the gate's thread when it ends,
    asked or not: what is ordered then raises.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        invite: Invite,
        key: DeviceKey,
        host: str,
        notice: Callable[[str], None],
        blocked: Callable[[str], bool],
    ) -> None:
        super().__init__(name="landline-gate")
        self._context = context
        self._client = BrokerClient(context, invite, key)
        self._host = host
        self._notice = notice
        self._blocked = blocked
        self._orders: deque[_Order | None] = deque()
        self._ordering = threading.Lock()
        self._ended: LandlineError | None = None
        self._port: int | None = None
        self._expected: tuple[Knocker, ...] = ()
        self._guest: Knocker | None = None
        self._renewal = Deadline(None)
        self._cut_off = False
        self._published = False
        self._purse = _Purse()
        self.on_end: Callable[[], None] = _nothing

    def start(self) -> None:
        """Stand at the gate, and return when knocks are answered.

        Raises:
            LandlineError: this peer waits already, or is closed.
        """
        self._bell, self._ear = socket.socketpair()
        try:
            super().start()
        except BaseException:
            self._bell.close()
            self._ear.close()
            raise
        try:
            self._order(_Order())
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Raise why the gate has ended, if it has; no new socket can be made then."""
        with self._ordering:
            if self._ended is not None:
                raise self._ended

    def publish(self, port: int, expected: tuple[Knocker, ...] = ()) -> None:
        """Tell the broker that callers find us at ``port``, and open the gate.

        Those who are ``expected`` are let in without the broker.

        Raises:
            LandlineError: the broker cannot be reached, or says no.
        """
        self._order(_Order(port, expected))

    def engage(self, guest: Knocker) -> None:
        """Let nobody in but ``guest``, and close the connection to the broker."""
        self._order(_Order(guest=guest))

    def stop(self) -> None:
        """Take the endpoint back and end. May be called again."""
        with self._ordering:
            if self._ended is None:
                self._orders.append(None)
                self._bell.send(b"!")
        self.join()
        self._bell.close()

    def run(self) -> None:
        """Serve knocks, orders and renewals until told to stop."""
        ended: LandlineError = ConversationBroken("the program is ending")
        try:
            with self._context.socket(zmq.REP) as zap:
                zap.linger = 0
                zap.bind("inproc://zeromq.zap.01")
                self._serve(zap)
        except zmq.ContextTerminated:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the application is told
            ended = LandlineError(f"this peer cannot wait for calls: {error}")
            ended.__cause__ = error
        finally:
            self._end(ended)

    def _end(self, ended: LandlineError) -> None:
        """Answer the orders that nobody carries out any more, and those to come."""
        with self._ordering:
            self._ended = ended
            for order in self._orders:
                if order is not None:
                    order.answer.set_exception(ended)
        self._client.close()
        self._ear.close()
        self.on_end()

    def _order(self, order: _Order) -> None:
        with self._ordering:
            if self._ended is not None:
                raise self._ended
            self._orders.append(order)
            self._bell.send(b"!")
        order.answer.result()

    def _serve(self, zap: "zmq.Socket[bytes]") -> None:
        poller = zmq.Poller()
        poller.register(zap, zmq.POLLIN)
        poller.register(self._ear, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(self._renewal.remaining_ms()))
            if self._ear.fileno() in ready:
                self._ear.recv(1)
                order = self._orders.popleft()
                if order is None:
                    self._leave()
                    return
                self._carry_out(order)
            if zap in ready:
                zap.send_multipart(self._answer(zap.recv_multipart()))
            if self._renewal.expired:
                self._renew()

    # -- what the application orders ------------------------------------------

    def _carry_out(self, order: _Order) -> None:
        try:
            if order.port is not None:
                self._publish(order.port, order.expected)
            elif order.guest is not None:
                self._guest = order.guest
                self._renew()
            order.answer.set_result(None)
        except BaseException as error:
            order.answer.set_exception(error)
            if not isinstance(error, LandlineError):
                raise

    @property
    def _open(self) -> bool:
        """Whether callers may come in."""
        return self._port is not None and self._guest is None

    def _publish(self, port: int, expected: tuple[Knocker, ...]) -> None:
        first = self._port is None
        self._port = port
        self._expected = expected
        self._guest = None
        self._published = False
        try:
            self._extend(self._waited())
        except BrokerUnreachable as error:
            if first:
                self._port = None
                raise
            self._missed(error)

    def _leave(self) -> None:
        if self._port is None or self._cut_off:
            return
        try:
            self._client.ask(Leave(), Done, seconds=2.0)
        except LandlineError:
            # The lease runs out by itself.
            return

    # -- the lease -------------------------------------------------------------

    def _renew(self) -> None:
        """Prolong the lease; the conversation, if there is one, does not depend on it."""
        try:
            self._extend(self._renewed())
        except LandlineError as error:
            self._missed(error)
        if not self._open:
            self._client.close()

    def _renewed(self) -> Leased:
        if self._open and not self._published:
            # A renewal would leave the endpoint as it is: engaged.
            return self._waited()
        renew = Renew(engaged=not self._open)
        try:
            return self._client.ask(renew, Leased, seconds=RENEW_S)
        except NotWaiting:
            # The lease ran out while the broker could not be reached.
            leased = self._waited()
        return self._client.ask(renew, Leased, seconds=RENEW_S) if renew.engaged else leased

    def _waited(self) -> Leased:
        assert self._port is not None
        leased = self._client.ask(Wait(self._port, self._host), Leased, seconds=RENEW_S)
        self._published = True
        return leased

    def _missed(self, error: LandlineError) -> None:
        self._renewal = Deadline(RETRY_S)
        # In a conversation the broker is not missed.
        if self._open and not self._cut_off:
            self._cut_off = True
            self._notice(f"{error}; still waiting")

    def _extend(self, leased: Leased) -> None:
        self._renewal = Deadline(max(RENEW_LEAST_S, leased.lease / 3))
        if self._cut_off:
            self._cut_off = False
            self._notice("the broker is back")

    # -- knocks ----------------------------------------------------------------

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """Answer one request of the ZAP (RFC 27): 200 with who knocks, or 400."""
        knocker = None
        if len(request) == 7:
            _, _, domain, address, _, mechanism, key = request
            if (domain, mechanism, len(key)) == (ZAP_DOMAIN, b"CURVE", KEY_OCTETS):
                knocker = self._admitted(key, address)
        status = (b"400", b"refused", b"") if knocker is None else (b"200", b"", knocker.user_id)
        return [b"1.0", request[1] if len(request) > 1 else b"", *status, b""]

    def _admitted(self, key: bytes, address: bytes) -> Knocker | None:
        """Return whom a key lets in: the guest, if one is here.

        Else whom the broker vets, or who is expected.
        """
        if not self._open:
            guest = self._guest
            return guest if guest is not None and guest.key == key else None
        expected = next((each for each in self._expected if each.key == key), None)
        # The broker first: a call anew is to be counted there as one that came through.
        vetted = self._vetted(key, address, VET_S if expected is None else VET_EXPECTED_S)
        knocker = vetted or expected
        return None if knocker is None or self._is_blocked(knocker.name) else knocker

    def _vetted(self, key: bytes, address: bytes, seconds: float) -> Knocker | None:
        if not self._purse.spend(address):
            return None
        try:
            name = self._client.ask(Vet(key), Vetted, seconds=seconds).name
        except LandlineError:
            return None
        self._purse.give_back(address)
        if self._published:
            # Engaged from now on; unless the caller comes in, wait anew.
            self._published = False
            self._renewal = Deadline(0.0 if self._is_blocked(name) else DIAL_S)
        return Knocker(name, key)

    def _is_blocked(self, name: str) -> bool:
        try:
            return self._blocked(name)
        except LandlineError:
            return True


def _nothing() -> None:
    """Tell nobody."""


class _Purse:
    """Token buckets: bound how often strangers make this peer ask the broker.

    Each address has its own, so that one that keeps knocking shuts nobody
    else out.
    """

    def __init__(self) -> None:
        self._spent: dict[bytes, list[Deadline]] = {}

    def spend(self, address: bytes) -> bool:
        """Take a token of this address if one is there; each comes back after its time."""
        spent = [token for token in self._spent.pop(address, []) if not token.expired]
        if len(self._spent) >= ADDRESSES_MOST:
            self._forget()
        allowed = len(spent) < VETS_AT_ONCE and len(self._spent) < ADDRESSES_MOST
        if allowed:
            spent.append(Deadline(VETS_AT_ONCE / VETS_A_SECOND))
        if spent:
            self._spent[address] = spent
        return allowed

    def give_back(self, address: bytes) -> None:
        """Return the last token: it was spent on a caller whom the broker knew."""
        self._spent[address].pop()

    def _forget(self) -> None:
        """Drop the addresses whose tokens have all come back."""
        for address in [a for a, spent in self._spent.items() if all(t.expired for t in spent)]:
            del self._spent[address]
