"""The PAIR socket of a link: what is said of its connection."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from landline.pair import addresses, received
from tests.support.waiting import wait_until


def test_both_ends_of_a_connection_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        with socket.create_connection((host, port)) as here:
            mine = here.getsockname()[1]
            assert addresses(here.fileno()) == (f"127.0.0.1:{mine}", f"127.0.0.1:{port}")


def test_a_connection_that_has_gone_is_not_told_and_nothing_of_it_stays_open() -> None:
    """Its number may be that of something else by now."""
    reader, writer = os.pipe()
    assert addresses(reader) == ("?", "?")
    os.close(reader)
    os.close(writer)
    assert addresses(reader) == ("?", "?")
    with socket.socket() as unconnected:
        assert addresses(unconnected.fileno()) == ("?", "?")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what has come")
def test_what_has_come_over_a_connection_is_counted() -> None:
    """Whether or not it was read; 0 of what is no connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = socket.create_connection(listener.getsockname())
        here, _ = listener.accept()
        with there, here:
            assert received(here.fileno()) == 0
            there.sendall(b"x" * 1_000)
            assert len(here.recv(400, socket.MSG_WAITALL)) == 400
            wait_until(lambda: received(here.fileno()) == 1_000, "all has come")
            gone = here.fileno()
    assert received(gone) == 0
