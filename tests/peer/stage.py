"""A broker in this process and the peers of a test, with the threads that they need.

Everything that a stage makes ends with it, the latest first.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import Future
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import zmq

from landline import Peer
from landline.client import BrokerClient
from landline.device import device_key
from landline.errors import Engaged, LandlineError, Offline
from landline_broker.address import Listen
from landline_broker.server import Broker
from landline_broker.settings import Settings
from landline_protocol.limits import REDIAL_S
from landline_protocol.messages import Leased, Wait
from tests.support.ports import free_port
from tests.support.waiting import Deadline, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from landline.conversation import Conversation
    from landline.events import Event
    from landline.waiting import IncomingCall, Waiting
    from landline_protocol.invite import Invite
    from tests.support.proxy import Proxy

T = TypeVar("T")
E = TypeVar("E")

PASSWORD = "correct horse battery"
DEADLINE_S = 15.0


class Pair(NamedTuple):
    """Two ends of one conversation, and how bob waits."""

    alice: Conversation
    bob: Conversation
    waiting: Waiting
    calls: Iterator[IncomingCall]


class Stage:
    """Where alice, bob and carol meet.

    Their conversations seek a new connection for ``redial_s`` seconds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.redial_s = REDIAL_S
        self.keep_history = True
        self.notices: dict[str, list[str]] = defaultdict(list)
        self.homes: dict[str, Path] = {}
        self.peers: dict[str, Peer] = {}
        self.resources = ExitStack()
        self.settings = Settings(
            path / "broker",
            # None that another connection could have taken while it is away.
            Listen("127.0.0.1", free_port()),
            bcrypt_cost=4,
            auth_threads=1,
            directory_threads=1,
        )
        self._broker: Broker | None = None
        self._registered: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.resources.close()

    @property
    def broker(self) -> Broker:
        """The broker; the first use starts it."""
        if self._broker is None:
            self._broker = broker = Broker(self.settings)
            broker.start()
            self.resources.callback(broker.stop)
        return self._broker

    @property
    def invite(self) -> Invite:
        return self.broker.invite

    def stop_broker(self) -> None:
        """Let the broker go away; `restart_broker` brings it back at the same port."""
        self.broker.stop()

    def restart_broker(self) -> None:
        port = self.invite.port
        self._broker = broker = Broker(
            Settings(
                self.path / "broker",
                Listen("127.0.0.1", port),
                bcrypt_cost=4,
                auth_threads=1,
                directory_threads=1,
            )
        )
        broker.start()
        self.resources.callback(broker.stop)

    def home(self, name: str) -> Path:
        return self.homes.get(name, self.path / name)

    def stranger(self, name: str = "alice", invite: str | None = None) -> Peer:
        """Return a peer that has not logged in."""
        peer = Peer(
            self.home(name),
            invite or str(self.invite),
            notice=self.notices[name].append,
            redial_s=self.redial_s,
            keep_history=self.keep_history,
        )
        self.peers[name] = peer
        return self.resources.enter_context(peer)

    def peer(self, name: str) -> Peer:
        """Return a peer whose user is logged in."""
        peer = self.stranger(name)
        self.register(name)
        peer.login(name, PASSWORD)
        return peer

    def register(self, name: str) -> None:
        if name not in self._registered:
            with Peer(self.path / f"{name}-registers", str(self.invite)) as peer:
                peer.register(name, PASSWORD)
            self._registered.add(name)

    def spawn(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Do something in a thread of its own."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work(*arguments))
            except BaseException as error:  # noqa: BLE001 - the future tells
                future.set_exception(error)

        thread = threading.Thread(target=run, name=f"stage {work!r}")
        thread.start()
        self.resources.callback(thread.join, DEADLINE_S)
        return future

    def wait(self, peer: Peer) -> Waiting:
        """Let a peer wait until the stage ends."""
        return self.resources.enter_context(peer.wait())

    def call(self, peer: Peer, name: str, *, once: bool = False) -> Future[Conversation]:
        """Let a peer call as soon as the other waits; hung up when the stage ends."""

        def work() -> Conversation:
            talk = peer.call(name) if once else insist(lambda: peer.call(name))
            self.resources.callback(talk.hang_up)
            return talk

        return self.spawn(work)

    def lead_through(self, proxy: Proxy, waiting: Waiting) -> None:
        """Let the broker send the next caller of a waiting peer to a proxy before it."""
        proxy.target = ("127.0.0.1", waiting.port)
        key = device_key(self.peers[waiting.account.name].home)
        with (
            zmq.Context() as context,
            closing(BrokerClient(context, self.invite, key)) as client,
        ):
            client.ask(Wait(proxy.port), Leased)

    def talk(self, proxy: Proxy | None = None) -> Pair:
        """Let alice call bob, through a proxy if there is one, and bob accept."""
        waiting = self.wait(self.peer("bob"))
        if proxy is not None:
            self.lead_through(proxy, waiting)
        return self.talk_again(self.peer("alice"), waiting, iter(waiting))

    def talk_again(self, alice: Peer, waiting: Waiting, calls: Iterator[IncomingCall]) -> Pair:
        """Let alice call whom the waiting peer belongs to."""
        calling = self.call(alice, waiting.account.name)
        bob = next(calls).accept()
        self.resources.callback(bob.hang_up)
        return Pair(calling.result(DEADLINE_S), bob, waiting, calls)


def insist(claim: Callable[[], T]) -> T:
    """Call until the other is there."""

    def call() -> T | None:
        try:
            return claim()
        except (Offline, Engaged):
            return None

    return wait_until(call, "the other waits")  # type: ignore[return-value]


def events(talk: Conversation) -> list[Event]:
    """Return everything that still happens in a conversation that ends well."""
    return list(talk.events())


def next_of(talk: Conversation, kind: type[E]) -> E:
    """Return the next event of a kind; others before it are passed over."""
    until = Deadline(DEADLINE_S)
    while not until.over:
        event = talk.next_event(until.left)
        assert event is not None, f"no {kind.__name__}"
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__} in time")


def broken(talk: Conversation) -> LandlineError:
    """Return the error in which a conversation ends."""
    try:
        list(talk.events())
    except LandlineError as error:
        return error
    raise AssertionError("the conversation ended well")
