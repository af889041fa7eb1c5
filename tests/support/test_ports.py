"""A free port is free, and handed out once."""

from __future__ import annotations

import socket

from tests.support import ports


def test_a_port_can_be_bound_and_is_not_given_again() -> None:
    given = [ports.free_port() for _ in range(20)]
    assert len(set(given)) == 20
    with socket.create_server(("127.0.0.1", given[0])):
        pass


def test_a_taken_port_is_passed_over() -> None:
    first = ports.free_port()
    with socket.create_server(("127.0.0.1", first + 1)):
        assert ports.free_port() != first + 1


def test_a_port_is_outside_the_ranges_that_others_draw_from() -> None:
    assert ports.FIRST <= ports.free_port() <= ports.LAST < 20_000
