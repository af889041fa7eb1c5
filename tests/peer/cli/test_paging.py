"""Long listings on a terminal, and elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peer.cli.household import Terminal, python
from tests.support.children import Children, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTING = """
import sys
from itertools import count
from landline.cli.paging import show
number, paged = int(sys.argv[1]), len(sys.argv) < 3
show((f"line {n}" for n in (range(number) if number >= 0 else count())), paged=paged)
print("done")
"""
ROWS = 24


class Listing:
    """A listing of so many lines, on a terminal of 24 rows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.terminals: list[Terminal] = []

    def shown(
        self, *arguments: str, pager: str, term: str = "xterm", script: str = LISTING
    ) -> list[str]:
        """Return what the screen has shown when the listing has ended well."""
        env = environment(self._path, {"PAGER": program(self._path, pager), "TERM": term})
        terminal = Terminal(python("-c", script, *arguments), env, self._path)
        self.terminals.append(terminal)
        status, shown = terminal.finish()
        assert status == 0, shown
        return [row.rstrip() for row in shown.splitlines() if row.strip()]


def program(path: Path, line: str) -> str:
    """Make a program of a line of shell; the oldest click takes no arguments in PAGER."""
    file = path / "pager"
    file.write_text(f"#!/bin/sh\nexec {line}\n")
    file.chmod(0o700)
    return str(file)


@pytest.fixture
def listing(tmp_path: Path) -> Iterator[Listing]:
    """A place for listings; their terminals are closed in the end."""
    listing = Listing(tmp_path)
    yield listing
    for terminal in listing.terminals:
        terminal.close(force=True)


def lines(number: int, word: str = "line") -> list[str]:
    return [*(f"{word} {n}" for n in range(number)), "done"]


def test_what_fits_on_the_screen_is_printed(listing: Listing) -> None:
    """No pager is in the way of a few lines."""
    assert listing.shown(str(ROWS - 1), pager="false") == lines(ROWS - 1)


def test_what_does_not_fit_goes_through_the_pager(listing: Listing) -> None:
    """The one that PAGER names."""
    assert listing.shown(str(ROWS), pager="sed s/line/row/") == lines(ROWS, "row")


def test_the_terminal_that_runs_the_tests_does_not_count(
    listing: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large it is, the screen is the child's own."""
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setenv("COLUMNS", "200")
    assert listing.shown(str(ROWS), pager="sed s/line/row/") == lines(ROWS, "row")


def test_lines_that_wrap_need_more_rows(listing: Listing) -> None:
    """It is the rows of the screen that count."""
    script = LISTING.replace("line {n}", "{'x' * 150} {n}")
    assert "x" not in listing.shown(str(ROWS // 2), pager="wc -l", script=script)[0]


def test_a_listing_without_end_begins_at_once(listing: Listing) -> None:
    """And ends when the pager does."""
    assert listing.shown("-1", pager="head -n 30") == lines(30)


def test_a_terminal_that_cannot_move_has_no_pager(listing: Listing) -> None:
    """Everything is printed."""
    assert listing.shown("40", pager="false", term="dumb") == lines(40)


def test_whoever_wants_no_pager_has_none(listing: Listing) -> None:
    """Everything is printed."""
    assert listing.shown("40", "unpaged", pager="false") == lines(40)


def test_a_pipe_has_no_pager(children: Children) -> None:
    """Lines go to stdout as they are."""
    child = children.start_program(python("-c", LISTING, "40"), env={"PAGER": "false"})
    assert child.wait() == 0
    assert child.stdout_lines == lines(40)
