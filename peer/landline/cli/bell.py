"""A bell that wakes a thread which waits for a file descriptor."""

import os
import select
from types import TracebackType
from typing import Self

GLANCE_MS = 1_000
"""How long one waits at a time."""


class Bell:
    """Rung once, it stays rung. Any thread may ring; use it in a ``with`` block."""

    def __init__(self) -> None:
        self._ear, self._cord = os.pipe()
        self.rung = False

    def ring(self) -> None:
        """Wake who waits, now or later."""
        self.rung = True
        os.write(self._cord, b"!")

    def wait_beside(self, descriptor: int) -> bool:
        """Wait until ``descriptor`` can be read; false when the bell rings instead."""
        poll = select.poll()
        poll.register(self._ear, select.POLLIN)
        poll.register(descriptor, select.POLLIN)
        # A signal that comes just before a wait does not end it.
        while not (ready := poll.poll(GLANCE_MS)):
            pass
        return self._ear not in dict(ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._ear)
        os.close(self._cord)
