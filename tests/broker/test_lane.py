"""A lane gives each idle worker one request and no device more than its share."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import zmq

from landline_broker.lane import Lane, LaneFull
from landline_broker.settings import LaneSettings
from landline_broker.worker import STOP

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDPOINTS = ["inproc://one", "inproc://two"]


class Bench:
    """A lane and two REP sockets that stand for its workers."""

    def __init__(self, stack: ExitStack, settings: LaneSettings) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = stack.enter_context(zmq.Context())
        self.workers = [stack.enter_context(context.socket(zmq.REP)) for _ in ENDPOINTS]
        self.lane = Lane(context, ENDPOINTS, settings)
        for worker, endpoint in zip(self.workers, ENDPOINTS, strict=True):
            worker.rcvtimeo = 5_000
            worker.connect(endpoint)
        self._poller = zmq.Poller()
        for socket in (*self.workers, *self.lane.sockets):
            self._poller.register(socket, zmq.POLLIN)

    def offer(self, device: bytes, body: bytes = b"") -> None:
        self.lane.offer([b"client", b"", device, b"who", b"id", body])

    def busy(self) -> list[zmq.Socket[bytes]]:
        """Return the workers that have a request."""
        return [socket for socket, _ in self._poller.poll(1_000) if socket in self.workers]

    def answer(self, worker: zmq.Socket[bytes]) -> list[bytes]:
        """Let a worker answer, and collect that answer."""
        worker.send_multipart([b"re", *worker.recv_multipart()])
        while True:
            for socket, _ in self._poller.poll(1_000):
                if socket not in self.workers:
                    return self.lane.collect(socket)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A lane with two workers, three places to wait and three for a device."""
    with ExitStack() as stack:
        made = Bench(stack, LaneSettings(queued=3, per_device=3, retry_after=1.5))
        yield made
        made.lane.close()


def test_a_request_goes_to_a_worker_and_its_answer_to_the_client(bench: Bench) -> None:
    bench.offer(b"device", b"body")
    assert bench.lane.in_hand == 1
    (worker,) = bench.busy()
    assert bench.answer(worker) == [b"client", b"", b"re", b"device", b"who", b"id", b"body"]
    assert bench.lane.in_hand == 0


def test_no_request_waits_for_a_busy_worker_while_another_is_idle(bench: Bench) -> None:
    bench.offer(b"a", b"slow")
    (slow,) = bench.busy()
    for number in range(6):
        bench.offer(b"b", b"%d" % number)
        (quick,) = [worker for worker in bench.busy() if worker is not slow]
        assert bench.answer(quick)[-1] == b"%d" % number
    assert bench.answer(slow)[-1] == b"slow"


def test_what_waits_is_served_in_turn(bench: Bench) -> None:
    bench.offer(b"a", b"slow")
    (slow,) = bench.busy()
    for number in range(4):
        bench.offer(b"%d" % number, b"%d" % number)
    for number in range(4):
        (quick,) = [worker for worker in bench.busy() if worker is not slow]
        assert bench.answer(quick)[-1] == b"%d" % number


def test_one_device_cannot_fill_the_lane(bench: Bench) -> None:
    for _ in range(3):
        bench.offer(b"greedy")
    with pytest.raises(LaneFull):
        bench.offer(b"greedy")
    bench.offer(b"modest")
    bench.answer(bench.busy()[0])
    bench.offer(b"greedy")


def test_a_full_lane_takes_nobody(bench: Bench) -> None:
    for number in range(5):
        bench.offer(b"%d" % number)
    with pytest.raises(LaneFull):
        bench.offer(b"new")
    assert bench.lane.retry_after == 1.5
    bench.answer(bench.busy()[0])
    bench.offer(b"new")


def test_what_still_waits_can_be_taken_back(bench: Bench) -> None:
    for number in range(4):
        bench.offer(b"%d" % number)
    assert [request[2] for request in bench.lane.drain()] == [b"2", b"3"]
    assert bench.lane.drain() == []


def test_closing_sends_every_worker_home() -> None:
    with ExitStack() as stack:
        bench = Bench(stack, LaneSettings(queued=1, per_device=1, retry_after=1))
        bench.lane.close()
        assert [worker.recv_multipart() for worker in bench.workers] == [[STOP], [STOP]]
