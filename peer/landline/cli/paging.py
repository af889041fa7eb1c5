"""Long listings, page by page: what does not fit on the screen goes through the pager.

Lines are taken as they are needed, so that a listing without end begins at once.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import chain

import click

from landline.cli.output import interactive


def show(lines: Iterable[str], *, paged: bool) -> None:
    """Write lines to stdout; on a terminal, if they are too many for it, through the pager.

    The pager is that of ``PAGER``, else ``less``.
    """
    rest = iter(lines)
    if not paged or not interactive():
        sys.stdout.writelines(f"{line}\n" for line in rest)
        return
    size = shutil.get_terminal_size()
    first, fit = _screenful(rest, size.columns, size.lines - 1)
    if fit:
        sys.stdout.writelines(f"{line}\n" for line in first)
    else:
        # The pager has the terminal now, and what it has not read yet stays unread here.
        sys.stdout.flush()
        click.echo_via_pager(f"{line}\n" for line in chain(first, rest))


def _screenful(lines: Iterator[str], columns: int, rows: int) -> tuple[list[str], bool]:
    """Take lines until they need more rows than there are; say whether they all fit."""
    taken: list[str] = []
    for line in lines:
        taken.append(line)
        rows -= max(1, -(-len(line) // max(1, columns)))
        if rows < 0:
            return taken, False
    return taken, True
