"""A page of Markdown as its reader sees it: sections, tables, blocks of code, links.

It knows as much of Markdown as the project's pages use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)
_LINK = re.compile(r"\[[^]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)

Rows = list[list[str]]


@dataclass(frozen=True)
class Block:
    """A block of code, and the text between the block before it and itself."""

    language: str
    code: str
    before: str


@dataclass(frozen=True)
class Page:
    """The text of a page, or of a part of one."""

    text: str

    @classmethod
    def read(cls, name: str) -> Page:
        return cls((ROOT / name).read_text("utf-8"))

    @property
    def words(self) -> str:
        """The text with every line's end and row of spaces as one space."""
        return " ".join(self.text.split())

    @property
    def blocks(self) -> list[Block]:
        found, end = [], 0
        for match in _FENCED.finditer(self.text):
            found.append(Block(match[1], match[2], self.text[end : match.start()]))
            end = match.end()
        return found

    @property
    def tables(self) -> list[Rows]:
        """The rows of each table, without its head."""
        found = []
        for table in _TABLE.findall(self.text):
            lines = [line.strip("|").split("|") for line in table.splitlines()]
            found.append([[cell.strip() for cell in line] for line in lines[2:]])
        return found

    @property
    def links(self) -> list[str]:
        return _LINK.findall(_FENCED.sub("", self.text))

    @property
    def anchors(self) -> set[str]:
        """What a link to a heading says, as GitHub makes it."""
        plain = _FENCED.sub("", self.text)
        kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(plain))
        return {heading.replace(" ", "-") for heading in kept}

    def section(self, heading: str) -> Page:
        """Return what stands under a heading, subsections included."""
        level, _, _ = heading.partition(" ")
        start = re.search(rf"^{re.escape(heading)}$", self.text, re.MULTILINE)
        assert start, f"no heading {heading!r}"
        rest = self.text[start.end() :]
        end = re.search(rf"^#{{1,{len(level)}}} ", _without_code(rest), re.MULTILINE)
        return Page(rest[: end.start()] if end else rest)

    def block(self, language: str) -> str:
        """Return the one block of a language."""
        (code,) = [block.code for block in self.blocks if block.language == language]
        return code


def quoted(cell: str) -> list[str]:
    """Return what stands between backticks in a cell of a table."""
    found: list[str] = re.findall(r"`([^`]+)`", cell)
    return found


def _without_code(text: str) -> str:
    """Blank the blocks of code, so that a comment in them is no heading."""
    return _FENCED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


README = Page.read("README.md")
