"""The least that a journalled round trip between two threads a side costs in Python.

One thread says and hears, another owns the PAIR socket; what is said is committed to
SQLite before it is handed over. Nothing is numbered, encoded, acknowledged or checked:
what the API takes beyond this is its own.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import zmq

_serial = iter(range(1_000))


class BarePeer:
    """A PAIR socket behind a thread of its own, and a table with what was said.

    An empty message from the other side, or ``stop``, ends it.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], pair: zmq.Socket[bytes], path: Path
    ) -> None:
        self._pair = pair
        self._heard: SimpleQueue[bytes] = SimpleQueue()
        self._journal = sqlite3.connect(path, isolation_level=None)
        self._journal.execute("PRAGMA journal_mode = WAL")
        self._journal.execute("PRAGMA synchronous = NORMAL")
        self._journal.execute("CREATE TABLE said (id INTEGER PRIMARY KEY, octets BLOB)")
        address = f"inproc://bare-{next(_serial)}"
        self._out, self._taken = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        self._out.bind(address)
        self._taken.connect(address)
        self._owner = threading.Thread(target=self._own, name="bare")
        self._owner.start()

    def say(self, octets: bytes) -> None:
        self._journal.execute("INSERT INTO said (octets) VALUES (?)", (octets,))
        self._out.send(octets)

    def hear(self) -> bytes:
        return self._heard.get()

    def stop(self) -> None:
        """Tell the other side, unless it was told, and end."""
        with suppress(zmq.Again):
            self._out.send(b"", zmq.NOBLOCK)
        self._owner.join()
        self._out.close(linger=0)
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _own(self) -> None:
        pair, taken = self._pair, self._taken
        poller = zmq.Poller()
        for each in (pair, taken):
            poller.register(each, zmq.POLLIN)
        with pair, taken:
            while True:
                ready = dict(poller.poll())
                if pair in ready:
                    heard = pair.recv(zmq.NOBLOCK)
                    self._heard.put(heard)
                    if not heard:
                        return
                if taken in ready:
                    said = taken.recv(zmq.NOBLOCK)
                    pair.send(said)
                    if not said:
                        return
