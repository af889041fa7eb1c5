"""The lines of standard input, each of them a message to be.

Reads the descriptor itself, so that it can be woken, and keeps what it has
read for the next conversation. It decides nothing about what a line means.
"""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from landline.cli.bell import Bell
from landline_protocol.limits import TEXT_MAX

_CHUNK = 65_536


@dataclass(frozen=True)
class Line:
    """A line without its end; ``text`` is ``None`` if it cannot be sent, and ``flaw`` says why."""

    number: int
    text: str | None
    flaw: str = ""


class Splitter:
    """Cuts octets into lines, and holds no more than one line of the longest kind."""

    def __init__(self) -> None:
        self._rest = b""
        self._too_long = False

    def feed(self, octets: bytes) -> Iterator[bytes | None]:
        """Yield the lines that are complete; ``None`` for one that is too long."""
        first, *others = octets.split(b"\n")
        self._grow(first)
        for piece in others:
            yield self._take()
            self._grow(piece)

    def end(self) -> Iterator[bytes | None]:
        """Yield the last line, if the input did not end in a line's end."""
        if self._rest or self._too_long:
            yield self._take()

    def _grow(self, piece: bytes) -> None:
        self._too_long = self._too_long or len(self._rest) + len(piece) > TEXT_MAX
        self._rest = b"" if self._too_long else self._rest + piece

    def _take(self) -> bytes | None:
        line = None if self._too_long else self._rest
        self._rest, self._too_long = b"", False
        return line


class Input:
    """Standard input, line by line, for one conversation after the other.

    ``already`` is what has been read of it before.
    """

    def __init__(self, descriptor: int = 0, already: bytes = b"") -> None:
        self._descriptor = descriptor
        self._splitter = Splitter()
        self._lines: deque[Line] = deque()
        self._read = 0
        self._ended = False
        self.flawed = 0
        self._accept(self._splitter.feed(already))

    def next(self, bell: Bell) -> Line | None:
        """Return the next line; ``None`` at the end of the input, or when the bell rings."""
        while not self._lines and not self._ended:
            if not bell.wait_beside(self._descriptor):
                return None
            self._fill()
        if bell.rung or not self._lines:
            return None
        return self._lines.popleft()

    def put_back(self, line: Line) -> None:
        """Keep a line for the next conversation: this one has no use for it."""
        self._lines.appendleft(line)

    def _fill(self) -> None:
        octets = os.read(self._descriptor, _CHUNK)
        self._accept(self._splitter.feed(octets))
        if not octets:
            self._ended = True
            self._accept(self._splitter.end())

    def _accept(self, lines: Iterator[bytes | None]) -> None:
        for octets in lines:
            self._read += 1
            line = _line(self._read, octets)
            self.flawed += line.text is None
            self._lines.append(line)


def _line(number: int, octets: bytes | None) -> Line:
    if octets is None:
        return Line(number, None, f"is longer than {TEXT_MAX} bytes")
    try:
        return Line(number, octets.decode())
    except UnicodeDecodeError:
        return Line(number, None, "is not UTF-8")
