"""Keeps every packet that comes by, from "listening" to SIGTERM, and writes them to a file.

Usage: python sniff.py FILE

In the end it prints how many packets it kept and missed. The file holds the packets as
they came, one after the other, and behind them what each TCP connection carried, each
way by itself, so that no word is torn by the end of a packet.
"""

import contextlib
import selectors
import signal
import socket
import struct
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ETH_P_ALL = 0x0003
ETH_HEADER = 14
IPV6_HEADER = 40
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
BUFFER = 64 * 1_048_576
PACKET_MAX = 262_144


def sniff(path: str) -> None:
    """Keep packets until SIGTERM, then write them."""
    bell, ear = socket.socketpair()
    bell.setblocking(False)
    signal.set_wakeup_fd(bell.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        print("listening", flush=True)
        packets = list(_packets(tap, ear))
        _, missed = struct.unpack("II", tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    Path(path).write_bytes(b"".join(packets) + b"".join(_streams(packets)))
    print(f"kept {len(packets)}, missed {missed}", flush=True)


def _packets(tap: socket.socket, ear: socket.socket) -> Iterator[bytes]:
    """Yield packets as they come; those that are there already when the ear hears, too."""
    tap.setblocking(False)
    with selectors.DefaultSelector() as selector:
        for each in (tap, ear):
            selector.register(each, selectors.EVENT_READ)
        stopped = False
        while not stopped:
            stopped = ear in [key.fileobj for key, _ in selector.select()]
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet, (_, _, kind, *_) = tap.recvfrom(PACKET_MAX)
                    # What leaves the switch has come in before.
                    if kind != socket.PACKET_OUTGOING:
                        yield packet


def _streams(packets: list[bytes]) -> list[bytes]:
    """Return what each TCP connection carried, each way, in the order of its packets."""
    streams: defaultdict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
    for packet in packets:
        kind, datagram = packet[12:ETH_HEADER], packet[ETH_HEADER:]
        if kind == b"\x08\x00" and datagram[9] == socket.IPPROTO_TCP:
            start, addresses = (datagram[0] & 15) * 4, datagram[12:20]
            segment = datagram[start : int.from_bytes(datagram[2:4]) or None]
        elif kind == b"\x86\xdd" and datagram[6] == socket.IPPROTO_TCP:
            addresses, segment = datagram[8:IPV6_HEADER], datagram[IPV6_HEADER:]
        else:
            continue
        streams[addresses, segment[:4]].append(segment[(segment[12] >> 4) * 4 :])
    return [b"".join(parts) for parts in streams.values()]


if __name__ == "__main__":
    sniff(sys.argv[1])
