"""How long an outage lasts: from the cut to the first message that is delivered again."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from landline import Peer, Waiting
from tests.bench.brokers import PASSWORD, serving
from tests.support.proxy import Proxy

CUTS = 200


def main() -> list[tuple[str, str, str]]:
    """Cut a conversation again and again; return rows of (figure, value, wanted)."""
    with ExitStack() as stack:
        invite, directory = stack.enter_context(serving())
        proxy = stack.enter_context(Proxy())
        alice, bob = (
            stack.enter_context(Peer(directory / name, invite)) for name in ("alice", "bob")
        )
        for name, peer in (("alice", alice), ("bob", bob)):
            peer.register(name, PASSWORD)
            account = peer.login(name, PASSWORD)
        proxy.target = ("127.0.0.1", account.port)
        arrived = threading.Semaphore(0)
        waiting = stack.enter_context(bob.wait("127.0.0.1", port=proxy.port))
        hearing = threading.Thread(target=_hear, args=(waiting, arrived))
        hearing.start()
        with alice.call("bob") as talk:
            times = [_outage(proxy, talk.send, arrived) for _ in range(CUTS)]
        hearing.join()
    cuts = statistics.quantiles(times, n=100)
    return [
        ("cut to first message delivered again, p50 [ms]", f"{cuts[49] * 1e3:.0f}", "at most 50"),
        ("cut to first message delivered again, p99 [ms]", f"{cuts[98] * 1e3:.0f}", "at most 300"),
    ]


def _outage(proxy: Proxy, send: Callable[[str], int], arrived: threading.Semaphore) -> float:
    send("before")
    arrived.acquire()
    start = time.perf_counter()
    proxy.cut()
    send("after")
    arrived.acquire()
    return time.perf_counter() - start


def _hear(waiting: Waiting, arrived: threading.Semaphore) -> None:
    for call in waiting:
        with call.accept() as talk:
            for _ in talk.messages():
                arrived.release()
        return
