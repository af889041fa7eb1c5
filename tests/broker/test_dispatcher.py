"""Whatever connects and whatever it sends, the others are served."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zmq.utils.monitor import recv_monitor_message

from landline_broker.settings import AUTH_LANE, LaneSettings, Wire
from landline_protocol.codec import SIGNATURE, decode_reply, encode_request
from landline_protocol.errors import ErrorCode
from landline_protocol.limits import REQUEST_MAX
from landline_protocol.messages import Hello, Login, Problem, Register
from tests.broker.device import PASSWORD, Device, request_id
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline_broker.server import Broker

    Make = Callable[..., Device]
    Start = Callable[..., Broker]

HELLO = Hello("x")
RID = b"r" * 16
SLOW = {"bcrypt_cost": 12, "auth_threads": 1}


def code(frames: list[bytes]) -> str:
    """Return the status of an answer, whatever it answers."""
    assert frames[0] == SIGNATURE
    return frames[2].decode()


@pytest.mark.parametrize(
    ("frames", "status", "answered"),
    [
        ([b""], "bad-request", b""),
        ([b"GET / HTTP/1.1"], "bad-request", b""),
        ([b"landline/2", b"hello", RID, b"\x80"], "version", RID),
        ([b"landline/2"], "version", b""),
        ([SIGNATURE], "bad-request", b""),
        ([SIGNATURE, b"hello", b"short", b"\x80"], "bad-request", b""),
        ([SIGNATURE, b"hello", RID, b"\x80", b"more"], "bad-request", RID),
        ([SIGNATURE, b"shutdown", RID, b"\x80"], "unknown-operation", RID),
        ([SIGNATURE, b"hello", RID, b""], "bad-request", RID),
        ([SIGNATURE, b"hello", RID, b"\xc1" * 40], "bad-request", RID),
        ([SIGNATURE, b"hello", RID, b"\x91" * REQUEST_MAX], "bad-request", RID),
        ([SIGNATURE, b"hello", RID, b"x" * (REQUEST_MAX + 1)], "bad-request", RID),
    ],
)
def test_what_is_no_request_is_answered_all_the_same(
    device: Make, frames: list[bytes], status: str, answered: bytes
) -> None:
    alice = device()
    answer = alice.raw(*frames)
    assert (code(answer), answer[1]) == (status, answered)
    alice.must(HELLO)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.binary(max_size=100), min_size=1, max_size=6))
def test_any_frames_are_answered(fuzzed: Device, frames: list[bytes]) -> None:
    assert code(fuzzed.raw(*frames)) in {*ErrorCode}


@pytest.fixture
def fuzzed(device: Make) -> Device:
    """A device that asks nonsense."""
    return device()


def test_what_has_no_envelope_is_passed_over(device: Make) -> None:
    alice = device()
    dealer = alice.connect(zmq.DEALER)
    for frames in ([b"x"], [b"x", b""], [b"x", *encode_request(HELLO, RID)]):
        dealer.send_multipart(frames)
    dealer.send_multipart([b"", *encode_request(HELLO, RID)])
    delimiter, *answer = dealer.recv_multipart()
    assert delimiter == b""
    assert answer[1:3] == [RID, b"ok"]
    assert dealer.poll(0) == 0


def test_many_requests_of_one_connection_are_all_answered(device: Make) -> None:
    dealer = device().connect(zmq.DEALER)
    asked = {request_id() for _ in range(60)}
    for rid in asked:
        dealer.send_multipart([b"", *encode_request(HELLO, rid)])
    assert {dealer.recv_multipart()[2] for _ in asked} == asked


def test_a_frame_that_is_too_long_costs_its_sender_the_connection(device: Make) -> None:
    alice, bob = device(), device()
    alice.must(HELLO)
    monitor = alice.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    alice.socket.send_multipart([SIGNATURE, b"hello", RID, b"x" * 100_000])
    assert monitor.poll(5_000)
    recv_monitor_message(monitor)
    alice.socket.disable_monitor()
    monitor.close()
    bob.must(HELLO)


def test_who_has_no_key_or_the_wrong_one_is_not_answered(device: Make) -> None:
    alice = device()
    plaintext = alice.bare()
    wrong = alice.bare()
    wrong.curve_serverkey = zmq.curve_keypair()[0]
    wrong.curve_publickey, wrong.curve_secretkey = zmq.curve_keypair()
    plain = alice.bare()
    plain.plain_username, plain.plain_password = b"alice", PASSWORD.encode()
    for intruder in (plaintext, wrong, plain):
        monitor = intruder.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_DISCONNECTED
        )
        intruder.connect(alice.endpoint)
        intruder.send_multipart(encode_request(HELLO, RID))
        assert monitor.poll(5_000)
        intruder.disable_monitor()
        monitor.close()
        assert intruder.poll(0) == 0
    alice.must(HELLO)


def test_octets_that_are_not_zmtp_disturb_nobody(device: Make) -> None:
    alice = device()
    port = int(alice.endpoint.rpartition(":")[2])
    for octets in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 5_000, bytes(64)):
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            raw.sendall(octets)
            alice.must(HELLO)


def test_a_connection_that_never_speaks_is_dropped(start: Start, dial: Make) -> None:
    broker = start(wire=Wire(handshake=200))
    alice = dial(broker)
    with socket.create_connection(("127.0.0.1", broker.invite.port), 5) as silent:
        silent.settimeout(5)
        while silent.recv(100):
            pass
    alice.must(HELLO)


def test_one_peer_cannot_take_anothers_place_by_its_routing_id(device: Make) -> None:
    alice, mallory = device(), device()
    for one in (alice, mallory):
        one.socket = one.connect(routing_id=b"alice")
        if one is alice:
            alice.must(HELLO)
    mallory.send(HELLO)
    for _ in range(3):
        alice.must(HELLO)
    assert mallory.socket.poll(0) == 0


def flood(dial: Make, broker: Broker, devices: int) -> list[Device]:
    """Let as many devices log in at once; return them."""
    flooding = [dial(broker) for _ in range(devices)]
    for one in flooding:
        one.must(HELLO)
    for number, one in enumerate(flooding):
        one.send(Login(f"user{number}", PASSWORD))
    return flooding


def answered(devices: list[Device]) -> list[Device]:
    return [one for one in devices if one.socket.poll(0)]


def test_a_flood_of_logins_does_not_delay_a_look_up(start: Start, dial: Make) -> None:
    broker = start(**SLOW)
    alice = dial(broker)
    flooding = flood(dial, broker, 10)
    for _ in range(5):
        alice.must(HELLO)
    assert len(answered(flooding)) < len(flooding)


def test_above_its_bound_a_lane_answers_busy(start: Start, dial: Make) -> None:
    lane = LaneSettings(queued=2, per_device=4, retry_after=2.0)
    broker = start(**SLOW, auth_lane=lane)
    flooding = flood(dial, broker, 8)
    wait_until(lambda: len(answered(flooding)) >= 5, "an answer for those who find no place")
    for one in answered(flooding):
        frames = one.socket.recv_multipart()
        problem = decode_reply(frames, Login("x", PASSWORD), frames[1])
        assert isinstance(problem, Problem)
        assert (problem.code, problem.retry_after) in (("busy", 2.0), ("denied", None))
    dial(broker).must(HELLO)


def test_one_device_cannot_fill_a_lane(start: Start, dial: Make) -> None:
    broker = start(**SLOW)
    greedy = dial(broker)
    dealer = greedy.connect(zmq.DEALER)
    request = Register("greedy", "short")
    ids = [request_id() for _ in range(AUTH_LANE.per_device + 2)]
    for rid in ids:
        dealer.send_multipart([b"", *encode_request(Login("nobody", PASSWORD), rid)])
    refused = [decode_reply(dealer.recv_multipart()[1:], request, rid) for rid in ids[-2:]]
    for problem in refused:
        assert isinstance(problem, Problem)
        assert problem.code == "busy"
        assert problem.retry_after == AUTH_LANE.retry_after
    assert dial(broker).refused(Register("modest", "short")) == "bad-password"


def test_stopping_answers_what_waits_and_finishes_what_is_in_hand(start: Start, dial: Make) -> None:
    broker = start(**SLOW)
    flooding = flood(dial, broker, 3)
    late = dial(broker)
    late.must(HELLO)
    assert broker.stop()
    codes = []
    for number, one in enumerate(flooding):
        frames = one.socket.recv_multipart()
        answer = decode_reply(frames, Login(f"user{number}", PASSWORD), frames[1])
        assert isinstance(answer, Problem)
        codes.append(answer.code)
    assert sorted(codes) == ["denied", "unavailable", "unavailable"]
