"""The terminal of the tests shows what a terminal shows."""

from __future__ import annotations

import pytest

from tests.peer.cli.screen import Screen


@pytest.mark.parametrize(
    ("octets", "rows"),
    [
        ("one\r\ntwo", ["one", "two"]),
        ("one\rt", ["tne"]),
        ("abcdefghijkl", ["abcdefghij", "kl"]),
        ("abcdefghij\r\nk", ["abcdefghij", "k"]),
        ("one\r\ntwo\x1b[A\x1b[3D\x1b[J", [""]),
        ("one\x1b[2Dx\x1b[K", ["ox"]),
        ("\x1b[0;32mone\x1b[0m\x1b[?25h", ["one"]),
        ("\x1b[4Cx\x08y", ["    y"]),
        ("a\x1b[By", ["a", " y"]),
    ],
)
def test_rows(octets: str, rows: list[str]) -> None:
    """However the octets come in."""
    whole, single = Screen(10), Screen(10)
    whole.feed(octets)
    for octet in octets:
        single.feed(octet)
    assert whole.rows == single.rows == rows


@pytest.mark.parametrize("octets", ["\x0e", "\x1b[5n"])
def test_what_no_program_of_ours_writes(octets: str) -> None:
    """Other sequences must not come."""
    with pytest.raises(AssertionError, match="reached the terminal"):
        Screen(10).feed(octets)
