"""Free TCP ports on this machine, each handed out once.

They lie below Landline's own range (from 20000) and below the ephemeral ports, so
that neither an assigned port nor an outgoing connection takes one in between.
"""

from __future__ import annotations

import itertools
import os
import socket

FIRST, LAST = 10_000, 19_999

# Test runs beside each other begin at different places.
_candidates = itertools.islice(
    itertools.cycle(range(FIRST, LAST + 1)), os.getpid() * 37 % (LAST - FIRST), None
)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port of `host` that nothing listens on and that nobody got before."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in itertools.islice(_candidates, LAST - FIRST + 1):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")
