"""A broker that lies: a peer ends with a clear error, or goes on as if nothing were."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import zmq

from landline import Peer
from landline.errors import WrongBroker
from landline_protocol.codec import encode_reply
from landline_protocol.messages import (
    Account,
    Done,
    Greeting,
    Leased,
    Policy,
    Presence,
    Roll,
)
from tests.peer.test_client import Scripted
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from landline_protocol.messages import Reply

FAR_S = 1e9
"""The longest time that a broker can name."""


@contextmanager
def told(*replies: Reply) -> Iterator[Scripted]:
    """Yield a broker that gives these replies, one after the other."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    broker = Scripted(context, [_answer(reply) for reply in replies])
    try:
        yield broker
    finally:
        context.term()
        broker.join()


def greeting(name: str = "alice", seconds: float = 60.0) -> Greeting:
    policy = Policy(8, 256, seconds, seconds, seconds)
    return Greeting("broker", (1, 1), policy, Account(name, 0))


@pytest.mark.parametrize(
    "name", ["", "a", "Alice", "al\0ice", "x/../y", "../alice", "alice\n", "al\x1b[31m", "a" * 33]
)
def test_a_name_that_is_none_is_not_believed(tmp_path: Path, name: str) -> None:
    with (
        told(greeting(name)) as broker,
        Peer(tmp_path, broker.invite) as peer,
        pytest.raises(WrongBroker),
    ):
        peer.wait()


@pytest.mark.parametrize(
    "pages",
    [[["alice", "bob"], ["alice", "bob"]], [["bob", "alice"]], [["alice", "alice"]]],
    ids=["the same again", "backwards", "twice"],
)
def test_a_list_of_users_that_goes_round_ends(tmp_path: Path, pages: list[list[str]]) -> None:
    rolls = [Roll([Presence(name, "offline") for name in page], more=True) for page in pages]
    with (
        told(greeting(), *rolls) as broker,
        Peer(tmp_path, broker.invite) as peer,
        pytest.raises(WrongBroker, match="in their order"),
    ):
        peer.who()


def test_times_that_never_end_let_a_peer_wait(tmp_path: Path) -> None:
    leased = Leased("127.0.0.1", 20_000, FAR_S)
    with (
        told(greeting(seconds=FAR_S), leased, Done()) as broker,
        Peer(tmp_path, broker.invite) as peer,
    ):
        with peer.wait():
            wait_until(lambda: len(broker.asked) == 2, "the wait")
        assert [request[1] for request in broker.asked] == [b"hello", b"wait", b"leave"]


def _answer(reply: Reply) -> Callable[[list[bytes]], list[bytes]]:
    return lambda request: encode_reply(reply, request[2])
