"""Numbered messages: said as fast as they get through, and counted where they arrive.

Both sides of a conversation do this to find out what a link does to it. What
is counted is what was really received. It shows nothing.
"""

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from landline.deadline import Deadline
from landline.errors import ConversationBroken
from landline.events import Delivered, Ended, Event, Message, SaidBye

if TYPE_CHECKING:
    from landline.conversation import Conversation

TICK_S = 0.1
"""How often the counts are told."""
PAUSE_S = 0.005
LUMP_MOST = 100
"""How often something is said, and how many messages at most."""
UNDER_WAY_MOST = 2_000
"""How many messages may be under way before no more is said."""


class Counts(Struct):
    """What one side has said, and what it has received; ``lost`` is what is missing so far."""

    sent: int = 0
    received: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    over: bool = False


class Tally:
    """Counts what comes, which is numbered from 1."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._highest = 0
        self._missing: set[int] = set()

    def hear(self, number: int) -> None:
        """Count a message that has come."""
        counts = self._counts
        if number > self._highest:
            self._missing.update(range(self._highest + 1, number))
            self._highest = number
        elif number in self._missing:
            self._missing.remove(number)
            counts.disordered += 1
        else:
            counts.doubled += 1
            return
        counts.received += 1
        counts.lost = len(self._missing)


class Exchange:
    """One side of a conversation in which both say numbers."""

    def __init__(self, talk: "Conversation") -> None:
        self.counts = Counts()
        self._talk = talk
        self._tally = Tally(self.counts)
        self._delivered = 0
        self._enough = threading.Event()
        self._speaker = threading.Thread(target=self._speak, name="landline-numbers")

    def hold(self, deadline: Deadline, tick: Callable[[Counts], None]) -> None:
        """Talk until the deadline, or until the other says bye, and then to the end.

        ``tick`` is told the counts about ten times a second.

        Raises:
            LandlineError: the conversation has not come to its end.
        """
        self._speaker.start()
        due = Deadline(TICK_S)
        try:
            while True:
                events = self._talk.next_events(due.remaining())
                for event in events:
                    self._take(event)
                if events and isinstance(events[-1], Ended):
                    self.counts.over = True
                    return
                if deadline.expired:
                    self._enough.set()
                if due.expired:
                    due = Deadline(TICK_S)
                    tick(self.counts)
        finally:
            self._enough.set()
            self._speaker.join()

    def _take(self, event: Event) -> None:
        match event:
            case Message():
                self._tally.hear(int(event.text))
            case Delivered():
                self._delivered = event.upto
            case SaidBye():
                self._enough.set()

    def _speak(self) -> None:
        counts = self.counts
        try:
            while not self._enough.wait(PAUSE_S):
                if counts.sent - self._delivered < UNDER_WAY_MOST:
                    upto = counts.sent + random.randint(1, LUMP_MOST)
                    self._talk.send_all([str(n) for n in range(counts.sent + 1, upto + 1)])
                    counts.sent = upto
            self._talk.bye()
        except ConversationBroken:
            return  # the other thread learns why
