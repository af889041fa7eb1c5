"""Lines cut from octets, however they come."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.cli.bell import Bell
from landline.cli.stdin import Input, Line, Splitter
from landline_protocol.limits import TEXT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator


@given(st.lists(st.binary().map(lambda b: b.replace(b"\n", b"")), min_size=1), st.data())
def test_cuts_do_not_matter(lines: list[bytes], data: st.DataObject) -> None:
    """The same lines come out wherever the input is cut."""
    octets = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=5)))
    splitter = Splitter()
    found: list[bytes | None] = []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        found += splitter.feed(octets[start:end])
    found += splitter.end()
    assert found == (lines if lines[-1] else lines[:-1])


def test_longest_line() -> None:
    """64 KiB is a line; one octet more is none, and the next line is well."""
    splitter = Splitter()
    longest = b"x" * TEXT_MAX
    assert list(splitter.feed(longest + b"\n")) == [longest]
    assert list(splitter.feed(longest)) == []
    assert list(splitter.feed(b"y")) == []
    assert list(splitter.feed(b"yy\nnext\n")) == [None, b"next"]
    assert list(splitter.feed(longest + b"x")) == []
    assert list(splitter.end()) == [None]


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
        lines = list(iter(lambda: said.next(bell), None))
    assert lines == [Line(1, "one"), Line(2, None, "is not UTF-8"), Line(3, ""), Line(4, "last")]
    assert said.flawed == 1


def test_bell_ends_the_waiting(pipe: tuple[int, int]) -> None:
    """What was read stays for the next conversation."""
    read, write = pipe
    os.write(write, b"one\ntwo\n")
    said = Input(read)
    with Bell() as bell:
        assert said.next(bell) == Line(1, "one")
        bell.ring()
        assert said.next(bell) is None
    with Bell() as bell:
        assert said.next(bell) == Line(2, "two")
        bell.ring()
        assert said.next(bell) is None
    os.close(write)
