"""The broker client: replies that are lost, late, false or never come."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
import zmq
from zmq.utils import z85

from landline.client import BrokerClient
from landline.deadline import Deadline
from landline.errors import (
    BrokerFailed,
    BrokerUnreachable,
    LandlineError,
    Throttled,
    WrongBroker,
)
from landline_protocol.codec import encode_problem, encode_reply
from landline_protocol.errors import ErrorCode
from landline_protocol.invite import Invite
from landline_protocol.messages import Account, Done, Greeting, Hello, Logout, Policy, Problem
from tests.peer.raw import fresh_key
from tests.support.ports import free_port
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.peer.stage import Stage

Script = list[Callable[[list[bytes]], list[bytes] | None]]


def silence(request: list[bytes]) -> None:
    """Answer nothing."""


def ok(request: list[bytes]) -> list[bytes]:
    return encode_reply(Done(), request[2])


def problem(
    code: ErrorCode, retry_after: float | None = None, incident: str | None = None
) -> Callable[[list[bytes]], list[bytes]]:
    return lambda request: encode_problem(
        Problem(code, "red \x1b[31m say", retry_after, incident), request[2]
    )


class Scripted:
    """A broker that answers each request as the next line of its script says."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], script: Script) -> None:
        self._context = context
        self._script = script
        self.asked: list[list[bytes]] = []
        self.senders: list[bytes] = []
        public, self._secret = zmq.curve_keypair()
        self._bound = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted broker")
        self._thread.start()
        self._bound.wait()
        self.invite = Invite("127.0.0.1", self._port, z85.decode(public))

    def _run(self) -> None:
        with self._context.socket(zmq.ROUTER) as router:
            router.linger = 0
            router.curve_server = True
            router.curve_secretkey = self._secret
            self._port = router.bind_to_random_port("tcp://127.0.0.1")
            self._bound.set()
            try:
                while True:
                    sender, _, *request = router.recv_multipart()
                    self.asked.append(request)
                    self.senders.append(sender)
                    answer = self._script.pop(0)(request)
                    if answer is not None:
                        router.send_multipart([sender, b"", *answer])
            except zmq.ContextTerminated:
                return

    def join(self) -> None:
        self._thread.join()


@contextmanager
def asked(
    *script: Callable[[list[bytes]], list[bytes] | None],
) -> Iterator[tuple[Scripted, BrokerClient]]:
    """Yield a scripted broker and a client of it."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    broker = Scripted(context, list(script))
    try:
        with closing(BrokerClient(context, broker.invite, fresh_key())) as client:
            yield broker, client
    finally:
        context.term()
        broker.join()


@contextmanager
def client_of(invite: Invite) -> Iterator[BrokerClient]:
    with zmq.Context() as context, closing(BrokerClient(context, invite, fresh_key())) as client:
        yield client


def test_a_lost_reply_is_asked_for_again_on_a_new_socket() -> None:
    with asked(silence, ok) as (broker, client):
        assert client.ask(Logout(), Done) == Done()
        first, second = broker.asked
        assert first == second
        assert broker.senders[0] != broker.senders[1]


@pytest.mark.parametrize("code", [ErrorCode.BUSY, ErrorCode.UNAVAILABLE])
@pytest.mark.parametrize("retry_after", [None, 0.0, 0.05])
def test_a_broker_that_is_busy_is_asked_again(code: ErrorCode, retry_after: float | None) -> None:
    with asked(problem(code, retry_after), ok) as (broker, client):
        assert client.ask(Logout(), Done) == Done()
        assert broker.asked[0] == broker.asked[1]


def test_a_broker_that_is_busy_for_longer_is_said() -> None:
    with (
        asked(problem(ErrorCode.BUSY, 60.0)) as (_, client),
        pytest.raises(BrokerUnreachable, match="red \N{SYMBOL FOR ESCAPE}"),
    ):
        client.ask(Logout(), Done)


def test_every_other_problem_is_an_error_of_its_own() -> None:
    script = [problem(ErrorCode.THROTTLED, 0.01), problem(ErrorCode.INTERNAL, None, "f00d")]
    with asked(*script) as (_, client):
        with pytest.raises(Throttled):
            client.ask(Logout(), Done)
        with pytest.raises(BrokerFailed, match="incident f00d: tell whoever runs the broker"):
            client.ask(Logout(), Done)


def test_an_unknown_code_is_a_failure_like_any_other() -> None:
    def strange(request: list[bytes]) -> list[bytes]:
        frames = problem(ErrorCode.INTERNAL)(request)
        body = frames[3].replace(b"internal", b"intercom")
        return [frames[0], frames[1], b"intercom", body]

    with asked(strange) as (_, client), pytest.raises(BrokerFailed):
        client.ask(Logout(), Done)


@pytest.mark.parametrize(
    "answer",
    [
        lambda r: [b"garbage"],
        lambda r: [b"x"] * 4,
        lambda r: encode_reply(Done(), b"\0" * 16),
        lambda r: [r[0], r[2], b"ok", b"\xc1"],
        lambda r: [r[0], r[2], b"ok", b"\x80\x80"],
        lambda r: [r[0], r[2], b"busy", encode_problem(Problem(ErrorCode.INTERNAL, ""), b"")[3]],
        lambda r: [b"landline/2", r[2], b"ok", encode_reply(Done(), b"")[3]],
    ],
)
def test_a_false_answer_is_refused(answer: Callable[[list[bytes]], list[bytes]]) -> None:
    with asked(answer) as (_, client), pytest.raises(WrongBroker):
        client.ask(Logout(), Done)


def test_a_newer_broker_says_its_version_under_its_own_signature() -> None:
    def newer(request: list[bytes]) -> list[bytes]:
        return [b"landline/2", *problem(ErrorCode.VERSION)(request)[1:]]

    with asked(newer) as (_, client), pytest.raises(WrongBroker, match="say"):
        client.ask(Logout(), Done)


def test_hello_is_asked_once() -> None:
    greeting = Greeting("b", (1, 1), Policy(8, 256, 60, 15, 45), Account("alice", 20_000))
    with asked(lambda r: encode_reply(greeting, r[2])) as (broker, client):
        assert client.hello() == client.hello() == greeting
        assert len(broker.asked) == 1


def test_no_answer_in_time_is_said() -> None:
    with (
        asked(silence) as (_, client),
        pytest.raises(BrokerUnreachable, match="does not answer; try again"),
    ):
        client.ask(Logout(), Done, seconds=0.2)


def test_nothing_listens_there() -> None:
    invite = Invite("127.0.0.1", free_port(), b"\1" * 32)
    with client_of(invite) as client, pytest.raises(BrokerUnreachable, match="no broker answers"):
        client.ask(Logout(), Done, seconds=0.3)


def test_a_host_that_cannot_be_found() -> None:
    invite = Invite("no-such-host.invalid", 7720, b"\1" * 32)
    with client_of(invite) as client, pytest.raises(BrokerUnreachable, match="cannot be found"):
        client.ask(Logout(), Done)


def test_another_key_than_the_brokers(stage: Stage) -> None:
    invite = Invite("127.0.0.1", stage.invite.port, fresh_key().public)
    with client_of(invite) as client, pytest.raises(WrongBroker, match="ask for a new invite"):
        client.ask(Logout(), Done)


class _Web(http.server.BaseHTTPRequestHandler):
    """Answers every request with an error, and logs nothing."""

    def log_message(self, *_: object) -> None:
        pass


def test_a_web_server_is_no_broker() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Web) as web:
        serving = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            invite = Invite("127.0.0.1", web.server_port, b"\1" * 32)
            with client_of(invite) as client, pytest.raises(WrongBroker):
                client.ask(Logout(), Done, seconds=2.0)
        finally:
            web.shutdown()
            serving.join()


def test_a_server_that_says_nothing_is_no_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        invite = Invite("127.0.0.1", silent.getsockname()[1], b"\1" * 32)
        with client_of(invite) as client, pytest.raises(WrongBroker, match="no Landline broker"):
            client.ask(Logout(), Done, seconds=0.3)


def test_a_server_that_closes_at_once_is_no_broker() -> None:
    with Proxy() as proxy:
        proxy.refuse()
        invite = Invite("127.0.0.1", proxy.port, b"\1" * 32)
        with client_of(invite) as client, pytest.raises(WrongBroker):
            client.ask(Logout(), Done, seconds=2.0)


def test_a_connection_that_is_cut_is_made_again(stage: Stage) -> None:
    with Proxy(("127.0.0.1", stage.invite.port)) as proxy:
        invite = Invite("127.0.0.1", proxy.port, stage.invite.key)
        with client_of(invite) as client:
            client.ask(Hello("test"), Greeting)
            proxy.cut()
            client.ask(Hello("test"), Greeting)
            proxy.stall()
            with pytest.raises(BrokerUnreachable):
                client.ask(Hello("test"), Greeting, seconds=0.3)
            proxy.resume()
            client.ask(Hello("test"), Greeting)


def test_a_broker_that_is_started_again_is_found_again(stage: Stage) -> None:
    with client_of(stage.invite) as client:
        client.ask(Hello("test"), Greeting)
        stage.stop_broker()
        asking = stage.spawn(client.ask, Hello("test"), Greeting)
        stage.restart_broker()
        assert asking.result(15)


def test_a_client_ends_in_a_context_that_ends() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    broker = Scripted(context, [silence])
    client = BrokerClient(context, broker.invite, fresh_key())
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            with closing(client):
                client.ask(Logout(), Done)
        except (zmq.ZMQError, LandlineError) as error:
            outcome.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    deadline = Deadline(10.0)
    while not broker.asked and not deadline.expired:
        pass
    context.term()
    asking.join()
    broker.join()
    assert isinstance(outcome[0], zmq.ZMQError)
