"""A link: its two threads start and end together, whatever happens."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import zmq

from landline.ends import Listen
from landline.errors import ConversationBroken, LandlineError
from landline.journal import Journal
from landline.line import Bound, Control, Heard, Opened, Over, Say
from landline.link import Link
from landline_protocol.frames import Accept
from landline_protocol.link import Role
from tests.peer.raw import fresh_key
from tests.peer.stage import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OPENED = Opened(b"\1" * 16, "bob", Role.CALLER, 1_048_576)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as context:
        yield context


@pytest.fixture
def listen(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> Iterator[Callable[..., Link]]:
    """Make links that listen, and end them."""
    made: list[Link] = []

    def make(port: int = 0) -> Link:
        journal = Journal(tmp_path / "journal")
        made.append(Link(context, fresh_key(), Listen("bob", port, journal.knows), journal))
        return made[-1]

    yield make
    for link in made:
        link.stop()
        assert link.ended


def over(link: Link) -> LandlineError | None:
    while not isinstance(notice := link.next(DEADLINE_S), Over):
        assert notice is not None
    return notice.error


def test_a_port_is_free_as_soon_as_its_link_has_ended(listen: Callable[..., Link]) -> None:
    port = 0
    for _ in range(100):
        link = listen(port)
        bound = link.expect(Bound).port
        assert port in (0, bound)
        port = bound
        link.stop()


def test_a_taken_port_is_replaced(listen: Callable[..., Link]) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        assert listen(port).expect(Bound).port != port


def test_stop_may_be_repeated_and_over_is_told_for_ever(listen: Callable[..., Link]) -> None:
    link = listen()
    link.expect(Bound)
    assert link.next(0.0) is None
    link.stop()
    link.stop()
    assert over(link) is None
    assert over(link) is None
    with pytest.raises(LandlineError, match="said Over, not Bound"):
        link.expect(Bound)


def test_a_link_in_a_context_that_has_ended_says_so(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.term()
    journal = Journal(tmp_path / "journal")
    with pytest.raises(ConversationBroken, match="the program is ending"):
        Link(context, fresh_key(), Listen("bob", 0, journal.knows), journal)


def test_a_context_that_ends_ends_the_link(
    context: zmq.Context[zmq.Socket[bytes]], listen: Callable[..., Link]
) -> None:
    link = listen()
    link.expect(Bound)
    context.term()
    assert isinstance(over(link), ConversationBroken)


def test_too_few_sockets_are_said_and_nothing_is_left(tmp_path: Path) -> None:
    """The context has room for none, one, two … sockets of the link."""
    for sockets in range(5):
        with zmq.Context() as context:
            context.max_sockets = sockets + 1
            journal = Journal(tmp_path / "journal")
            try:
                link = Link(context, fresh_key(), Listen("bob", 0, journal.knows), journal)
            except LandlineError:
                continue
            with suppress(LandlineError):
                link.expect(Bound)
            link.stop()
            assert link.ended


def test_an_error_in_the_sender_is_told_and_ends_the_link(listen: Callable[..., Link]) -> None:
    """A letter that no sender can take stands for a fault of ours."""
    link = listen()
    link.expect(Bound)
    link.mailbox.put("no letter")  # type: ignore[arg-type]
    error = over(link)
    assert isinstance(error, ConversationBroken)
    assert "an error in this program" in str(error)
    assert isinstance(error.__cause__, KeyError)


def test_an_error_in_the_receiver_is_told_and_ends_the_link(listen: Callable[..., Link]) -> None:
    """A frame that may not be sent now stands for a fault of ours."""
    link = listen()
    link.expect(Bound)
    link.mailbox.put(Control(Accept()))
    error = over(link)
    assert error is not None
    assert "an error in this program" in str(error)


def test_what_comes_after_an_error_is_counted_and_not_sent(listen: Callable[..., Link]) -> None:
    link = listen()
    link.expect(Bound)
    link.mailbox.put(OPENED)
    link.mailbox.put("no letter")  # type: ignore[arg-type]
    link.mailbox.put(Heard([], 0, 0, b""))
    link.mailbox.put(Say("kept", 1))
    error = over(link)
    assert isinstance(error, ConversationBroken)
    assert error.unconfirmed == 1
