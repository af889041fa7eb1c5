"""The monitor's words are read as libzmq writes them."""

from __future__ import annotations

import zmq
from zmq.utils.monitor import parse_monitor_message

from landline import monitor
from tests.support.ports import free_port


def test_an_event_is_read_as_pyzmq_s_own_helper_reads_it() -> None:
    watched = zmq.EVENT_LISTENING | zmq.EVENT_CLOSED
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with (
        zmq.Context() as context,
        context.socket(zmq.PAIR) as pair,
        pair.get_monitor_socket(watched) as ear,
    ):
        pair.bind(endpoint)
        listening = monitor.receive(ear)
        pair.unbind(endpoint)
        closed = parse_monitor_message(ear.recv_multipart())
        pair.disable_monitor()
    assert (listening.event, listening.endpoint) == (zmq.EVENT_LISTENING, endpoint)
    assert listening.value == closed["value"]
    assert closed["event"] == zmq.EVENT_CLOSED


def test_every_event_bit_fits() -> None:
    assert zmq.EVENT_ALL == 0xFFFF
