"""Lines cut from octets, however they come."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.cli.bell import Bell
from landline.cli.stdin import Flaw, Input, Lines, Splitter
from landline_protocol.limits import TEXT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


TOO_LONG = f"is longer than {TEXT_MAX} bytes"


def flat(pieces: Iterable[Lines | Flaw]) -> list[str | Flaw]:
    """Return lines and flaws in their order."""
    return [each for piece in pieces for each in ([piece] if isinstance(piece, Flaw) else piece)]


def read(number: int, line: bytes) -> str | Flaw:
    """Return what a line has to become."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return Flaw(number, "is not UTF-8")


@given(st.lists(st.binary().map(lambda b: b.replace(b"\n", b"")), min_size=1), st.data())
def test_cuts_do_not_matter(lines: list[bytes], data: st.DataObject) -> None:
    """The same lines come out wherever the input is cut."""
    octets = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=5)))
    splitter = Splitter()
    found: list[Lines | Flaw] = []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        found += splitter.feed(octets[start:end])
    found += splitter.end()
    wanted = [read(number, line) for number, line in enumerate(lines, 1)]
    assert flat(found) == (wanted if lines[-1] else wanted[:-1])


def test_longest_line() -> None:
    """64 KiB is a line; one octet more is none, and the next line is well."""
    splitter = Splitter()
    longest = b"x" * TEXT_MAX
    assert flat(splitter.feed(longest + b"\n")) == [longest.decode()]
    assert flat(splitter.feed(longest)) == []
    assert flat(splitter.feed(b"y")) == []
    assert flat(splitter.feed(b"yy\nnext\n")) == [Flaw(2, TOO_LONG), "next"]
    assert flat(splitter.feed(b"a\n" + longest + b"x\nb\n")) == ["a", Flaw(5, TOO_LONG), "b"]
    assert flat(splitter.feed(longest + b"x")) == []
    assert flat(splitter.feed(b"\n")) == [Flaw(7, TOO_LONG)]
    assert flat(splitter.feed(longest + b"x")) == []
    assert flat(splitter.end()) == [Flaw(8, TOO_LONG)]
    assert flat(splitter.end()) == []


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose writing end the test may close."""
    read, write = os.pipe()
    yield read, write
    os.close(read)


def test_lines_are_numbered_and_flaws_named(pipe: tuple[int, int]) -> None:
    """A line that cannot be a message keeps its place."""
    read, write = pipe
    os.write(write, b"one\n\xff\n\nlast")
    os.close(write)
    with Bell() as bell:
        said = Input(read)
        pieces = []
        while (piece := said.next(bell)) is not None:
            pieces.append(piece)
    assert flat(pieces) == ["one", Flaw(2, "is not UTF-8"), "", "last"]
    assert said.flawed == 1


def test_bell_ends_the_waiting(pipe: tuple[int, int]) -> None:
    """What was read stays for the next conversation."""
    read, write = pipe
    os.write(write, b"one\ntwo\n")
    said = Input(read)
    with Bell() as bell:
        assert said.next(bell) == ["one", "two"]
        said.put_back(["two"])
        bell.ring()
        assert said.next(bell) is None
    with Bell() as bell:
        assert said.next(bell) == ["two"]
        bell.ring()
        assert said.next(bell) is None
    os.close(write)
