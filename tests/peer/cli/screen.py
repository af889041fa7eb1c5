"""What a terminal shows: just enough of one to read what a person would see.

Knows the sequences that move the cursor and erase; colours and modes are passed over,
anything else is an AssertionError. Lines that leave at the top are kept.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\x1b\[(?P<private>\?)?(?P<numbers>[\d;]*)(?P<final>[A-Za-z])|(?P<control>[\x00-\x1f])|(?P<text>[^\x00-\x1f]+)"
)
_ESCAPE_BEGUN = re.compile(r"\x1b(\[[?\d;]*)?$")


class Screen:
    """The rows of a terminal that is ``width`` characters wide."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0
        self._rest = ""

    @property
    def rows(self) -> list[str]:
        """Every row from the first that was shown to the last, without blanks at the end."""
        return ["".join(row).rstrip() for row in self._rows]

    def feed(self, octets: str) -> None:
        """Show what the program has written."""
        octets = self._rest + octets
        begun = _ESCAPE_BEGUN.search(octets)
        self._rest = "" if begun is None else begun.group()
        for token in _TOKEN.finditer(octets, 0, len(octets) - len(self._rest)):
            if token["text"]:
                for character in token["text"]:
                    self._put(character)
            elif token["control"]:
                self._control(token["control"])
            elif not token["private"]:
                self._move(token["final"], int(token["numbers"].partition(";")[0] or 0))

    def _put(self, character: str) -> None:
        if self._column == self._width:
            self._row, self._column = self._row + 1, 0
        row = self._reach()
        row[self._column : self._column + 1] = [character]
        self._column += 1

    def _control(self, control: str) -> None:
        match control:
            case "\r":
                self._column = 0
            case "\n":
                self._row += 1
                self._reach()
            case "\x08":
                self._column = max(0, self._column - 1)
            case "\x07":
                pass
            case _:
                raise AssertionError(f"{control!r} reached the terminal")

    def _move(self, final: str, number: int) -> None:
        match final:
            case "A":
                self._row = max(0, self._row - max(1, number))
            case "B":
                self._row += max(1, number)
            case "C":
                self._column = min(self._width - 1, self._column + max(1, number))
            case "D":
                self._column = max(0, min(self._column, self._width - 1) - max(1, number))
            case "J":
                del self._reach()[self._column :]
                del self._rows[self._row + 1 :]
            case "K":
                del self._reach()[self._column :]
            case "m":
                pass
            case _:
                raise AssertionError(f"CSI {number} {final} reached the terminal")

    def _reach(self) -> list[str]:
        """Return the row of the cursor, as long as its column asks for."""
        while len(self._rows) <= self._row:
            self._rows.append([])
        row = self._rows[self._row]
        row.extend(" " * (self._column - len(row)))
        return row
