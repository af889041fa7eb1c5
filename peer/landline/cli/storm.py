"""A conversation whose link is cut again and again, and the proof that nothing is lost.

Both sides say numbers; what each has really received is compared with what
the other has said. The counts are shown while it lasts.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import msgspec

from landline.cli.chaos import Cutter
from landline.cli.numbers import Counts, Exchange
from landline.cli.output import Output, counted
from landline.deadline import Deadline
from landline.errors import LandlineError

if TYPE_CHECKING:
    from landline.conversation import Conversation

PLAIN_S = 2.0
"""How often the counts are told where no line can be written anew."""


@dataclass(frozen=True)
class Totals:
    """What both sides have counted, and how often the link was cut."""

    sent: int
    delivered: int
    cuts: int
    lost: int
    doubled: int
    disordered: int

    @property
    def well(self) -> bool:
        return self.lost == self.doubled == self.disordered == 0

    @property
    def line(self) -> str:
        return (
            f"{self.sent:,} sent, {self.delivered:,} delivered, {counted(self.cuts, 'cut')};"
            f" {self.lost} lost, {self.doubled} doubled, {self.disordered} out of order"
        )


class Storm:
    """Holds the conversation for one side, and hears of the other what it counts.

    ``said`` returns the lines that the other side has printed since it was
    last asked, ``next_line`` waits for one.
    """

    def __init__(
        self,
        cutter: Cutter,
        said: Callable[[], list[str]],
        next_line: Callable[[], str],
        output: Output,
    ) -> None:
        self._cutter = cutter
        self._said = said
        self._next_line = next_line
        self._output = output
        self._theirs = Counts()
        self._rewrites = os.isatty(2) and not output.json
        self._due = Deadline(0.0)

    def hold(self, talk: "Conversation", seconds: float) -> None:
        """Talk for a while through what the cutter does, then to the end in peace.

        Raises:
            LandlineError: the conversation broke off, or what came is not what was said.
        """
        exchange = Exchange(talk)
        over = Deadline(seconds)
        self._cutter.begin()
        try:
            exchange.hold(over, lambda mine: self._tick(mine, over))
        finally:
            if self._rewrites:
                click.echo("\r\x1b[K", nl=False, err=True)
        while not self._theirs.over:
            self._hear(self._next_line())
        self._judge(exchange.counts)

    def _tick(self, mine: Counts, over: Deadline) -> None:
        if over.expired:
            self._cutter.calm()
        for line in self._said():
            self._hear(line)
        totals = self._totals(mine, mine.lost + self._theirs.lost)
        if self._rewrites:
            click.echo(f"\r\x1b[K{totals.line}", nl=False, err=True)
        elif self._due.expired:
            self._due = Deadline(PLAIN_S)
            self._tell(totals)

    def _judge(self, mine: Counts) -> None:
        theirs = self._theirs
        lost = (mine.sent - theirs.received) + (theirs.sent - mine.received)
        totals = self._totals(mine, lost)
        self._tell(totals)
        if not totals.well:
            raise LandlineError("what was received is not what was said")

    def _hear(self, line: str) -> None:
        self._theirs = msgspec.json.decode(line, type=Counts)

    def _totals(self, mine: Counts, lost: int) -> Totals:
        theirs = self._theirs
        return Totals(
            sent=mine.sent + theirs.sent,
            delivered=mine.received + theirs.received,
            cuts=self._cutter.cuts,
            lost=lost,
            doubled=mine.doubled + theirs.doubled,
            disordered=mine.disordered + theirs.disordered,
        )

    def _tell(self, totals: Totals) -> None:
        self._output.tell("counted", totals.line, **vars(totals))
