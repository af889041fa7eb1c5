"""The lines of standard input, each of them a message to be.

Reads the descriptor itself, so that it can be woken, and keeps what it has
read for the next conversation. It decides nothing about what a line means.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from landline.cli.bell import Bell
from landline_protocol.limits import TEXT_MAX

_CHUNK = 262_144


@dataclass(frozen=True)
class Flaw:
    """A line that cannot be sent, by its number, and why."""

    number: int
    say: str


Lines = list[str]
"""Lines that follow one another, without their ends; any of them can be sent."""


class Splitter:
    """Cuts octets into lines, and holds no more than one line of the longest kind."""

    def __init__(self) -> None:
        self._rest = b""
        self._too_long = False
        self._read = 0

    def feed(self, octets: bytes) -> Iterator[Lines | Flaw]:
        """Yield the lines that are complete."""
        end = octets.rfind(b"\n")
        if end < 0:
            self._grow(octets)
            return
        if self._too_long:
            _, _, octets = octets.partition(b"\n")
            end = octets.rfind(b"\n")
            yield self._flaw(f"is longer than {TEXT_MAX} bytes")
        block, rest = self._rest + octets[:end], octets[end + 1 :]
        self._rest, self._too_long = b"", False
        if end >= 0:
            yield from self._lines(block)
        self._grow(rest)

    def end(self) -> Iterator[Lines | Flaw]:
        """Yield the last line, if the input did not end in a line's end."""
        if self._rest or self._too_long:
            yield from self.feed(b"\n")

    def _grow(self, piece: bytes) -> None:
        self._too_long = self._too_long or len(self._rest) + len(piece) > TEXT_MAX
        self._rest = b"" if self._too_long else self._rest + piece

    def _lines(self, block: bytes) -> Iterator[Lines | Flaw]:
        """Yield the lines of a block, all at once if nothing is wrong with any of them."""
        try:
            lines = block.decode().split("\n")
        except UnicodeDecodeError:
            yield from self._one_by_one(block)
            return
        # A character has at most four octets.
        if max(map(len, lines)) > TEXT_MAX // 4:
            yield from self._one_by_one(block)
            return
        self._read += len(lines)
        yield lines

    def _one_by_one(self, block: bytes) -> Iterator[Lines | Flaw]:
        for octets in block.split(b"\n"):
            try:
                line = octets.decode()
            except UnicodeDecodeError:
                yield self._flaw("is not UTF-8")
                continue
            if len(octets) > TEXT_MAX:
                yield self._flaw(f"is longer than {TEXT_MAX} bytes")
            else:
                self._read += 1
                yield [line]

    def _flaw(self, say: str) -> Flaw:
        self._read += 1
        return Flaw(self._read, say)


class Input:
    """Standard input, lines after lines, for one conversation after the other.

    ``already`` is what has been read of it before.
    """

    def __init__(self, descriptor: int = 0, already: bytes = b"") -> None:
        self._descriptor = descriptor
        self._splitter = Splitter()
        self._waiting: deque[Lines | Flaw] = deque()
        self._ended = False
        self.flawed = 0
        self._accept(self._splitter.feed(already))

    def next(self, bell: Bell) -> Lines | Flaw | None:
        """Return the lines that have come; ``None`` at the input's end, or when the bell rings."""
        while not self._waiting and not self._ended:
            if not bell.wait_beside(self._descriptor):
                return None
            self._fill()
        if bell.rung or not self._waiting:
            return None
        return self._waiting.popleft()

    @property
    def has_more(self) -> bool:
        """Whether lines have been read that nobody has taken."""
        return bool(self._waiting)

    def put_back(self, lines: Lines) -> None:
        """Keep lines for the next conversation: this one has no use for them."""
        if lines:
            self._waiting.appendleft(lines)

    def _fill(self) -> None:
        octets = os.read(self._descriptor, _CHUNK)
        self._accept(self._splitter.feed(octets) if octets else self._splitter.end())
        self._ended = not octets

    def _accept(self, lines: Iterable[Lines | Flaw]) -> None:
        for each in lines:
            self.flawed += isinstance(each, Flaw)
            self._waiting.append(each)
