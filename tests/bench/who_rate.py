"""How many `who` a broker answers, against a bare echo of the same shape.

Four client processes ask over CURVE, one request at a time each. The baseline is a
ROUTER, a Python loop, one DEALER and REP workers that give back what they get. Both
run in turns in the same session; the medians count.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import zmq
from zmq.utils import z85

from landline_broker.address import Listen
from landline_broker.server import Broker
from landline_broker.settings import Settings
from landline_protocol.codec import encode_request
from landline_protocol.invite import Invite
from landline_protocol.messages import Who
from tests.broker.device import Device, request_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

CLIENTS = 4
ECHO_WORKERS = 8


ROUNDS = 5
SECONDS = 2.0


def figures() -> list[tuple[str, str, str]]:
    """Measure, and return rows of (figure, value, wanted)."""
    spawn = multiprocessing.get_context("spawn")
    rates: dict[str, list[float]] = {"echo": [], "who": []}
    for _ in range(ROUNDS):
        for what, server in (("echo", serve_echo), ("who", serve_broker)):
            here, there = spawn.Pipe()
            process = spawn.Process(target=server, args=(there,))
            process.start()
            invite = here.recv()
            rates[what].append(measure(spawn, invite, SECONDS))
            here.send(None)
            process.join()
    echo, who = (statistics.median(rates[what]) for what in ("echo", "who"))
    return [
        ("bare echo of the same shape [requests/s]", f"{echo:,.0f}", ""),
        ("who of one user, SQLite, 4 clients [requests/s]", f"{who:,.0f}", ""),
        ("look-ups, broker / bare echo", f"{who / echo:.2f}", "at least 0.50"),
    ]


def measure(spawn: multiprocessing.context.SpawnContext, invite: str, seconds: float) -> float:
    """Return the requests a second of all clients together."""
    queue = spawn.Queue()
    clients = [spawn.Process(target=ask, args=(invite, seconds, queue)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    rates: list[float] = [queue.get() for _ in clients]
    for client in clients:
        client.join()
    return sum(rates)


def ask(invite: str, seconds: float, rates: multiprocessing.Queue[float]) -> None:
    """Ask again and again who `bench` is."""
    with Device(Invite.parse(invite)) as device:
        device.socket.send_multipart(encode_request(Who("bench0"), request_id()))
        if device.socket.recv_multipart()[2:3] != [b"echo"]:
            device.login("bench0")
        frames = encode_request(Who("bench0"), request_id())
        socket = device.socket
        count, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            socket.send_multipart(frames)
            socket.recv_multipart()
            count += 1
        rates.put(count / (time.perf_counter() - begin))


def serve_broker(pipe: Connection) -> None:
    """Run a broker on SQLite until told to stop."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Broker(Settings(Path(folder), Listen("127.0.0.1", 0), bcrypt_cost=4)) as broker,
    ):
        with Device(broker.invite) as device:
            device.join("bench0")
        pipe.send(str(broker.invite))
        pipe.recv()


def serve_echo(pipe: Connection) -> None:
    """Run the baseline until told to stop."""
    public, secret = zmq.curve_keypair()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with bound(context, secret) as router, context.socket(zmq.DEALER) as dealer:
        dealer.bind("inproc://echo")
        workers = [threading.Thread(target=echo, args=(context,)) for _ in range(ECHO_WORKERS)]
        for worker in workers:
            worker.start()
        stop = threading.Event()
        port = int(router.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        loop = threading.Thread(target=forward, args=(router, dealer, stop))
        loop.start()
        pipe.send(str(Invite("127.0.0.1", port, z85.decode(public))))
        pipe.recv()
        stop.set()
        loop.join()
    context.term()


@contextmanager
def bound(context: zmq.Context[zmq.Socket[bytes]], secret: bytes) -> Iterator[zmq.Socket[bytes]]:
    """Give a ROUTER with CURVE."""
    with context.socket(zmq.ROUTER) as router:
        router.linger = 0
        router.curve_server = True
        router.curve_secretkey = secret
        router.bind("tcp://127.0.0.1:*")
        yield router


def forward(router: zmq.Socket[bytes], dealer: zmq.Socket[bytes], stop: threading.Event) -> None:
    """Bring requests to workers and answers back."""
    poller = zmq.Poller()
    poller.register(router, zmq.POLLIN)
    poller.register(dealer, zmq.POLLIN)
    while not stop.is_set():
        ready = dict(poller.poll(100))
        if router in ready:
            dealer.send_multipart(router.recv_multipart())
        if dealer in ready:
            router.send_multipart(dealer.recv_multipart())


def echo(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Give back what comes in."""
    with context.socket(zmq.REP) as socket:
        socket.connect("inproc://echo")
        try:
            while True:
                _, _, _, body = socket.recv_multipart()
                socket.send_multipart([b"", b"", b"echo", body])
        except zmq.ContextTerminated:
            return


if __name__ == "__main__":
    for row in figures():
        print(*row, sep=" | ")
