"""The proxy that cuts."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from landline.cli.chaos import HOST, Cutter
from tests.support.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 10.0
MEBIBYTE = 1_048_576


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything again."""
    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=_repeat, args=(listener,), name="echo")
        thread.start()
        yield listener.getsockname()[1]
        # Closing a listener wakes nobody who accepts.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(DEADLINE_S)


def _repeat(listener: socket.socket) -> None:
    connections = []
    try:
        while True:
            connection, _ = listener.accept()
            thread = threading.Thread(target=_echo, args=(connection,), name="one echo")
            thread.start()
            connections.append(thread)
    except OSError:
        for thread in connections:
            thread.join(DEADLINE_S)


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while octets := connection.recv(65_536):
                connection.sendall(octets)
        except OSError:
            return  # cut


def reached(cutter: Cutter) -> socket.socket:
    """Return a connection through the cutter, on which an echo has come."""
    deadline = Deadline(DEADLINE_S)
    while not deadline.over:
        with ExitStack() as stack, suppress(ConnectionError):
            address = (HOST, cutter.port)
            connection = socket.create_connection(address, deadline.left)
            stack.enter_context(connection)
            connection.sendall(b"?")
            if connection.recv(1):
                stack.pop_all()
                return connection
    raise AssertionError("nobody gets through")


def test_everything_passes_both_ways(echo: int) -> None:
    """More than fits into all buffers, while nobody cuts."""
    octets = bytes(range(256)) * (MEBIBYTE // 256)
    with Cutter() as cutter:
        cutter.target = echo
        with reached(cutter) as connection:
            speaker = threading.Thread(target=connection.sendall, args=(octets * 8,))
            speaker.start()
            heard = bytearray()
            while len(heard) < 8 * len(octets):
                heard += connection.recv(MEBIBYTE)
            speaker.join(DEADLINE_S)
        assert heard == octets * 8
        assert cutter.cuts == 0


def test_it_cuts_again_and_again_until_it_is_calm(echo: int) -> None:
    """Each connection ends; who comes later gets through, and in the end stays."""
    with Cutter() as cutter:
        cutter.target = echo
        cutter.begin()
        for _ in range(3):
            with reached(cutter) as connection, suppress(ConnectionError):
                assert connection.recv(1) == b""
        assert cutter.cuts >= 3
        cutter.calm()
        with reached(cutter) as connection:
            connection.sendall(b"!")
            assert connection.recv(1) == b"!"


def test_nobody_is_there(echo: int) -> None:
    """Who comes before the target is known is turned away; stopping ends what is open."""
    with Cutter() as cutter:
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection((HOST, cutter.port), DEADLINE_S) as early,
        ):
            early.recv(1)
        cutter.target = echo
        connection = reached(cutter)
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
