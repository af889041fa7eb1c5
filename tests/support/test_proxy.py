"""The proxy passes on and keeps what crosses it, and disturbs exactly as asked."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.proxy import QUEUE_MAX, Act, AfterOctets, Proxy, Way
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE = 5.0


class Line:
    """A connection through a proxy, with both ends in hand."""

    def __init__(self, proxy: Proxy, server: socket.socket) -> None:
        self.near = socket.create_connection((proxy.host, proxy.port), DEADLINE)
        self.far, _ = server.accept()
        self.far.settimeout(DEADLINE)

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE)
        yield listening


@pytest.fixture
def proxy(server: socket.socket) -> Iterator[Proxy]:
    with Proxy(server.getsockname()) as started:
        yield started


@pytest.fixture
def line(proxy: Proxy, server: socket.socket) -> Iterator[Line]:
    with contextlib.closing(Line(proxy, server)) as made:
        yield made


def received(end: socket.socket, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        octets += (more := end.recv(size - len(octets)))
        if not more:
            break
    return octets


def expect_reset(proxy: Proxy) -> None:
    """A new connection is reset, at once or a moment after it stands."""
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection((proxy.host, proxy.port), DEADLINE) as line,
    ):
        line.recv(1)


def is_silent(end: socket.socket) -> bool:
    """Whether nothing has come; for what must not come at all."""
    end.settimeout(0.05)
    try:
        return end.recv(1, socket.MSG_PEEK) is None
    except TimeoutError:
        return True
    finally:
        end.settimeout(DEADLINE)


def test_octets_cross_both_ways_and_are_kept(proxy: Proxy, line: Line) -> None:
    line.near.sendall(b"question")
    assert received(line.far, 8) == b"question"
    line.far.sendall(b"answer")
    assert received(line.near, 6) == b"answer"
    assert (proxy.octets(Way.THERE), proxy.octets(Way.BACK)) == (b"question", b"answer")


def test_an_end_of_one_way_leaves_the_other_open(proxy: Proxy, line: Line) -> None:
    line.near.shutdown(socket.SHUT_WR)
    assert line.far.recv(1) == b""
    line.far.sendall(b"still here")
    assert received(line.near, 10) == b"still here"
    line.far.close()
    assert line.near.recv(1) == b""
    wait_until(lambda: not proxy.open, "the connection is forgotten")


def test_much_more_than_it_holds_back_comes_through(proxy: Proxy, line: Line) -> None:
    line.near.setblocking(False)
    whole = bytes(range(256)) * (QUEUE_MAX // 64)
    sent, got = 0, bytearray()
    while len(got) < len(whole):
        with contextlib.suppress(BlockingIOError):
            sent += line.near.send(whole[sent : sent + QUEUE_MAX])
        got += line.far.recv(QUEUE_MAX)
    assert got == whole == proxy.octets(Way.THERE)


def test_a_cut_resets_both_ends_and_the_next_connection_is_served(
    proxy: Proxy, line: Line, server: socket.socket
) -> None:
    proxy.cut()
    for end in (line.near, line.far):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    with contextlib.closing(Line(proxy, server)) as another:
        another.near.sendall(b"again")
        assert received(another.far, 5) == b"again"


def test_a_refusing_proxy_resets_until_it_admits_again(
    proxy: Proxy, line: Line, server: socket.socket
) -> None:
    proxy.refuse()
    assert proxy.open == 0
    expect_reset(proxy)
    proxy.admit()
    with contextlib.closing(Line(proxy, server)) as another:
        another.far.sendall(b"welcome")
        assert received(another.near, 7) == b"welcome"


def test_a_stalled_way_passes_nothing_and_loses_nothing(proxy: Proxy, line: Line) -> None:
    proxy.stall(Way.THERE)
    line.near.sendall(b"held back")
    line.far.sendall(b"free")
    assert received(line.near, 4) == b"free"
    assert is_silent(line.far)
    proxy.resume()
    assert received(line.far, 9) == b"held back"


def test_a_delay_holds_each_octet_back_and_keeps_the_order(proxy: Proxy, line: Line) -> None:
    proxy.delay(0.1, Way.BACK)
    before = time.monotonic()
    for word in (b"one ", b"two ", b"three"):
        line.far.sendall(word)
    assert received(line.near, 13) == b"one two three"
    assert 0.1 <= time.monotonic() - before < DEADLINE
    assert proxy.octets(Way.THERE) == b""


def test_corruption_flips_one_bit_once_where_asked(proxy: Proxy, line: Line) -> None:
    proxy.corrupt(Way.THERE, after=5)
    for word in (b"aaa", b"aaa", b"aaa"):
        line.near.sendall(word)
    assert received(line.far, 9) == b"aaaaa" + bytes([ord("a") ^ 1]) + b"aaa"
    assert proxy.octets(Way.THERE) == b"aaaaaaaaa"


def test_without_a_target_connections_are_reset_until_it_has_one(server: socket.socket) -> None:
    with Proxy() as proxy:
        expect_reset(proxy)
        proxy.target = server.getsockname()
        with contextlib.closing(Line(proxy, server)) as line:
            line.near.sendall(b"now")
            assert received(line.far, 3) == b"now"
        assert proxy.accepted == 2


def test_a_target_that_refuses_resets_the_one_who_connected(proxy: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        proxy.target = gone.getsockname()
    expect_reset(proxy)


def test_a_stopped_proxy_has_closed_everything_and_may_be_stopped_again(
    proxy: Proxy, line: Line
) -> None:
    proxy.stop()
    proxy.stop()
    with pytest.raises(ConnectionResetError):
        line.near.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port), DEADLINE)


def test_a_connection_that_is_finished_ends_without_a_reset(
    proxy: Proxy, line: Line, server: socket.socket
) -> None:
    line.near.sendall(b"before")
    assert received(line.far, 6) == b"before"
    proxy.finish()
    assert (line.near.recv(1), line.far.recv(1)) == (b"", b"")
    with contextlib.closing(Line(proxy, server)) as again:
        again.near.sendall(b"x")
        assert received(again.far, 1) == b"x"


def test_a_throttled_way_takes_its_time_and_loses_nothing(proxy: Proxy, line: Line) -> None:
    proxy.throttle(100_000, Way.THERE)
    began = time.monotonic()
    line.near.sendall(b"x" * 20_000)
    assert len(received(line.far, 20_000)) == 20_000
    assert time.monotonic() - began > 0.15


@pytest.mark.parametrize("act", [Act.FIN, Act.HOLD, Act.FLIP])
def test_a_trap_springs_at_its_octet_and_only_once(proxy: Proxy, line: Line, act: Act) -> None:
    trap = AfterOctets(act, Way.THERE, 5)
    proxy.set(trap)
    line.near.sendall(b"abc")
    assert received(line.far, 3) == b"abc"
    assert not trap.sprung.is_set()
    line.near.sendall(b"defgh")
    assert received(line.far, 2) == b"de"
    assert trap.sprung.wait(DEADLINE)
    if act is Act.FIN:
        assert line.far.recv(1) == b""
        return
    proxy.resume()
    line.near.sendall(b"ijklmnop")
    assert received(line.far, 11) == (b"fghijklmnop" if act is Act.HOLD else b"gghijklmnop")


def test_a_trap_that_resets_resets(proxy: Proxy, line: Line) -> None:
    proxy.set(AfterOctets(Act.RST, Way.BACK, 0))
    line.far.sendall(b"x")
    with pytest.raises(ConnectionResetError):
        line.near.recv(1)
