"""One way, 100 bytes: ``send`` once per message, and lines through the pipe.

Both sides journal and acknowledge every message. The baseline sends single
messages over a raw PAIR with CURVE. Sender and receiver are processes of their
own, one on each CPU; the kinds take turns, round by round.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import zmq

from landline import Peer
from landline.events import Ended
from tests.bench.brokers import register, serving
from tests.bench.commands import LANDLINE
from tests.bench.round_trip import pinned

ROUNDS = 3
COUNT = 200_000
TEXT = "x" * 100


def main() -> list[tuple[str, str, str]]:
    """Measure, and return rows of (figure, value, wanted)."""
    rates: dict[str, list[float]] = {"raw": [], "send": [], "pipe": []}
    with serving() as (invite, directory), pinned(0):
        register(invite, directory, "alice", "bob")
        for _ in range(ROUNDS):
            rates["raw"].append(_raw())
            rates["send"].append(_send(invite, directory))
            rates["pipe"].append(_pipe(directory))
    raw, send, pipe = (statistics.median(rates[kind]) for kind in ("raw", "send", "pipe"))
    return [
        ("raw PAIR + CURVE, single messages [1/s]", f"{raw:,.0f}", ""),
        ("send once per message, both journalled [1/s]", f"{send:,.0f}", ""),
        ("one way, send / raw", f"{send / raw:.2f}", "at least 0.50"),
        ("lines through call and wait [1/s]", f"{pipe:,.0f}", ""),
        ("one way, pipe / raw", f"{pipe / raw:.2f}", "at least 0.40"),
    ]


def _raw() -> float:
    with _other("raw") as other, zmq.Context() as context, context.socket(zmq.PAIR) as pair:
        assert other.stdout is not None
        port, key = other.stdout.readline().split()
        pair.curve_serverkey = key.encode()
        pair.curve_publickey, pair.curve_secretkey = zmq.curve_keypair()
        pair.connect(f"tcp://127.0.0.1:{port}")
        octets = TEXT.encode()
        start = time.perf_counter()
        for _ in range(COUNT):
            pair.send(octets)
        pair.recv()
        return COUNT / (time.perf_counter() - start)


def _send(invite: str, directory: Path) -> float:
    with _other("api", invite, str(directory / "bob")) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with Peer(directory / "alice", invite) as alice, alice.call("bob") as talk:
            start = time.perf_counter()
            for _ in range(COUNT):
                talk.send(TEXT)
            talk.bye()
            for event in talk.events():
                if isinstance(event, Ended):
                    break
            return COUNT / (time.perf_counter() - start)


def _pipe(directory: Path) -> float:
    lines = f"{TEXT}\n".encode() * COUNT
    with (directory / "said").open("wb") as said, _wait(directory, said) as wait:
        assert wait.stderr is not None
        wait.stderr.readline()
        with subprocess.Popen(
            [LANDLINE, "--home", str(directory / "alice"), "call", "bob", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as call:
            assert call.stdin is not None
            assert call.stdout is not None
            while json.loads(call.stdout.readline())["event"] != "accepted":
                pass
            start = time.perf_counter()
            call.stdin.write(lines)
            call.stdin.close()
            for line in call.stdout:
                if json.loads(line)["event"] == "ended":
                    break
            return COUNT / (time.perf_counter() - start)


def _wait(directory: Path, said: BinaryIO) -> subprocess.Popen[bytes]:
    with pinned(1):  # a process stays where it was born
        return subprocess.Popen(
            [LANDLINE, "--home", str(directory / "bob"), "wait", "--accept", "--once"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.PIPE,
        )


def _other(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.one_way", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _take_raw() -> None:
    public, secret = zmq.curve_keypair()
    with zmq.Context() as context, context.socket(zmq.PAIR) as pair:
        pair.curve_server = True
        pair.curve_secretkey = secret
        port = pair.bind_to_random_port("tcp://127.0.0.1")
        print(port, public.decode(), flush=True)
        for _ in range(COUNT):
            pair.recv()
        pair.send(b"")


def _take_api(invite: str, home: str) -> None:
    with Peer(home, invite) as bob, bob.wait() as waiting:
        print("waiting", flush=True)
        for call in waiting:
            with call.accept() as talk:
                for _ in talk.messages():
                    pass
            return


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["raw"]:
            with pinned(1):
                _take_raw()
        case ["api", invite, home]:
            with pinned(1):
                _take_api(invite, home)
        case _:
            for row in main():
                print(*row, sep=" | ")
