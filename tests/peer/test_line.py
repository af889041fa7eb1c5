"""A line: its two threads start and end together, whatever happens."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import zmq

from landline.ends import Engagements, Listen
from landline.errors import ConversationBroken, LandlineError
from landline.journal import Journal
from landline.letters import Answer, Bound, Over
from landline.line import Line
from landline_protocol.frames import Accept, Text
from tests.peer.raw import fresh_key
from tests.peer.stage import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as context:
        yield context


def listening(context: zmq.Context[zmq.Socket[bytes]], path: Path, port: int = 0) -> Line:
    journal = Journal(path / "journal")
    return Line(context, fresh_key(), Listen("bob", port, journal), journal, Engagements())


@pytest.fixture
def listen(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> Iterator[Callable[..., Line]]:
    """Make lines that listen, and end them."""
    made: list[Line] = []

    def make(port: int = 0) -> Line:
        made.append(listening(context, tmp_path, port))
        return made[-1]

    yield make
    for line in made:
        line.stop()
        assert line.ended


def over(line: Line) -> LandlineError | None:
    while not isinstance(notice := line.next(DEADLINE_S), Over):
        assert notice is not None
    return notice.error


def test_a_port_is_free_as_soon_as_its_line_has_ended(listen: Callable[..., Line]) -> None:
    port = 0
    for _ in range(100):
        line = listen(port)
        bound = line.expect(Bound).port
        assert port in (0, bound)
        port = bound
        line.stop()


def test_a_taken_port_is_replaced(listen: Callable[..., Line]) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        assert listen(port).expect(Bound).port != port


def test_stop_may_be_repeated_and_over_is_told_for_ever(listen: Callable[..., Line]) -> None:
    line = listen()
    line.expect(Bound)
    assert line.next(0.0) is None
    line.stop()
    line.stop()
    assert over(line) is None
    assert over(line) is None
    with pytest.raises(LandlineError, match="said Over, not Bound"):
        line.expect(Bound)


def test_a_line_in_a_context_that_has_ended_says_so(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.term()
    with pytest.raises(ConversationBroken, match="the program is ending"):
        listening(context, tmp_path)


def test_a_context_that_ends_ends_the_line(
    context: zmq.Context[zmq.Socket[bytes]], listen: Callable[..., Line]
) -> None:
    line = listen()
    line.expect(Bound)
    context.term()
    assert isinstance(over(line), ConversationBroken)


def test_too_few_sockets_are_said_and_nothing_is_left(tmp_path: Path) -> None:
    """The context has room for none, one, two … sockets of the line."""
    for sockets in range(5):
        with zmq.Context() as context:
            context.max_sockets = sockets + 1
            try:
                line = listening(context, tmp_path)
            except LandlineError:
                continue
            with suppress(LandlineError):
                line.expect(Bound)
            line.stop()
            assert line.ended


def test_an_error_in_the_sender_is_told_and_ends_the_line(listen: Callable[..., Line]) -> None:
    """A letter that no sender can take stands for a fault of ours."""
    line = listen()
    line.expect(Bound)
    line.mailbox.put("no letter")  # type: ignore[arg-type]
    error = over(line)
    assert isinstance(error, ConversationBroken)
    assert "an error in this program" in str(error)
    assert isinstance(error.__cause__, KeyError)


def test_an_error_in_the_receiver_is_told_and_ends_the_line(listen: Callable[..., Line]) -> None:
    """A frame that may not be sent now stands for a fault of ours."""
    line = listen()
    line.expect(Bound)
    line.mailbox.put(Answer(Accept()))
    error = over(line)
    assert error is not None
    assert "an error in this program" in str(error)


def test_once_a_line_has_ended_its_room_takes_nothing(listen: Callable[..., Line]) -> None:
    line = listen()
    line.expect(Bound)
    line.stop()
    with pytest.raises(ConversationBroken, match="the conversation has ended"):
        line.room.put(Text(1, "too late"))
