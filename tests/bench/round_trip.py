"""Round trips of 100 bytes: the public API against a raw PAIR with CURVE.

Both ends are processes of their own. With two CPUs each gets one, because a
round trip on one CPU is another figure than one between two. The kinds take
turns, round by round, so that all meet the same machine. Between the two
stands what no Python program with two threads and a journal can go below.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import zmq

from landline import Peer
from tests.bench.bare import BarePeer
from tests.bench.brokers import PASSWORD, serving

ROUNDS = 5
TRIPS = 2_000
WARM_UP = 200
TEXT = "x" * 100


def main() -> list[tuple[str, str, str]]:
    """Measure, and return rows of (figure, value, wanted)."""
    times: dict[str, list[float]] = {"raw": [], "bare": [], "api": []}
    with pinned(0), raw_pair() as raw_trip, bare_peer() as bare_trip, conversation() as api_trip:
        trips = {"raw": raw_trip, "bare": bare_trip, "api": api_trip}
        for trip in trips.values():
            timed(trip, WARM_UP)
        for _ in range(ROUNDS):
            for kind, trip in trips.items():
                times[kind] += timed(trip, TRIPS)
    raw, bare, api = times.values()
    rows = [
        ("raw PAIR + CURVE, p50 / p99 [µs]", _both(raw), ""),
        ("two threads and a commit, p50 / p99 [µs]", _both(bare), ""),
        ("chat through the API, p50 / p99 [µs]", _both(api), ""),
        ("two threads and a commit / raw, p50", f"{_ratio(bare, raw, 50):.2f}", ""),
    ]
    for cut, most in ((50, "2.00"), (99, "2.50")):
        rows.append(
            (f"round trip, API / raw, p{cut}", f"{_ratio(api, raw, cut):.2f}", f"at most {most}")
        )
    return rows


def timed(trip: Callable[[], None], count: int) -> list[float]:
    """Return how long each of ``count`` trips took, in seconds."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        trip()
        times.append(time.perf_counter() - start)
    return times


@contextmanager
def raw_pair() -> Iterator[Callable[[], None]]:
    """Yield a round trip over a bare PAIR with CURVE, the echo in another process."""
    with _echo("raw") as (echo, context), _connected(context, echo) as pair:
        octets = TEXT.encode()

        def trip() -> None:
            pair.send(octets)
            pair.recv()

        yield trip
        pair.send(b"")


@contextmanager
def bare_peer() -> Iterator[Callable[[], None]]:
    """Yield a round trip between threads that do nothing else, the echo in another process."""
    with TemporaryDirectory() as folder:
        here, there = (str(Path(folder, name)) for name in ("here", "there"))
        with (
            _echo("bare", there) as (echo, context),
            BarePeer(context, _connected(context, echo), Path(here)) as bare,
        ):
            octets = TEXT.encode()

            def trip() -> None:
                bare.say(octets)
                bare.hear()

            yield trip


def _connected(
    context: zmq.Context[zmq.Socket[bytes]], echo: subprocess.Popen[str]
) -> zmq.Socket[bytes]:
    port, key = echo.stdout.readline().split()  # type: ignore[union-attr]  # it is a pipe
    pair = context.socket(zmq.PAIR)
    pair.curve_serverkey = key.encode()
    pair.curve_publickey, pair.curve_secretkey = zmq.curve_keypair()
    pair.connect(f"tcp://127.0.0.1:{port}")
    return pair


@contextmanager
def conversation() -> Iterator[Callable[[], None]]:
    """Yield a round trip through the public API, the echo in another process."""
    with (
        serving() as (invite, directory),
        _echo("api", invite, str(directory / "bob")) as (echo, _),
    ):
        echo.stdout.readline()  # type: ignore[union-attr]  # it waits now
        with Peer(directory / "alice", invite) as alice:
            alice.register("alice", PASSWORD)
            alice.login("alice", PASSWORD)
            with alice.call("bob") as talk:
                messages = talk.messages()

                def trip() -> None:
                    talk.send(TEXT)
                    next(messages)

                yield trip


@contextmanager
def _echo(
    *arguments: str,
) -> Iterator[tuple[subprocess.Popen[str], zmq.Context[zmq.Socket[bytes]]]]:
    command = [sys.executable, "-m", "tests.bench.round_trip", *arguments]
    with (
        zmq.Context() as context,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as echo,
    ):
        yield echo, context


def _raw_echo() -> None:
    with zmq.Context() as context, _listening(context) as pair:
        while octets := pair.recv():
            pair.send(octets)


def _bare_echo(path: str) -> None:
    with zmq.Context() as context, BarePeer(context, _listening(context), Path(path)) as bare:
        while octets := bare.hear():
            bare.say(octets)


def _listening(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    public, secret = zmq.curve_keypair()
    pair = context.socket(zmq.PAIR)
    pair.curve_server = True
    pair.curve_secretkey = secret
    print(pair.bind_to_random_port("tcp://127.0.0.1"), public.decode(), flush=True)
    return pair


def _api_echo(invite: str, home: str) -> None:
    with Peer(home, invite) as bob:
        bob.register("bob", PASSWORD)
        bob.login("bob", PASSWORD)
        with bob.wait() as waiting:
            print("waiting", flush=True)
            for call in waiting:
                with call.accept() as talk:
                    for message in talk.messages():
                        talk.send(message.text)
                return


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Stay on one CPU meanwhile, where the machine has more than one and lets us choose."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _both(times: list[float]) -> str:
    return f"{_percentile(times, 50) * 1e6:.0f} / {_percentile(times, 99) * 1e6:.0f}"


def _ratio(times: list[float], baseline: list[float], cut: int) -> float:
    return _percentile(times, cut) / _percentile(baseline, cut)


def _percentile(times: list[float], cut: int) -> float:
    return statistics.quantiles(times, n=100)[cut - 1]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["raw"]:
            with pinned(1):
                _raw_echo()
        case ["bare", path]:
            with pinned(1):
                _bare_echo(path)
        case ["api", invite, home]:
            with pinned(1):
                _api_echo(invite, home)
        case _:
            for row in main():
                print(*row, sep=" | ")
