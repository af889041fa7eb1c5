"""The PAIR socket of a link: what is said of its connection."""

from __future__ import annotations

import os
import socket

from landline.pair import addresses


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
