"""The courier of a waiting peer: brings what the outbox holds, in the background.

One thread. It looks into the outbox now and then, also for what another
program of this home has put there, and tries each addressee again after a
while. It rings nowhere.
"""

import random
import threading
from collections.abc import Callable
from contextlib import closing

import zmq

from landline.calling import Caller
from landline.client import BrokerClient
from landline.deadline import Deadline
from landline.errors import JournalUnusable, LandlineError, NotAdmitted, RecordsDiffer
from landline.events import Message
from landline.journal import Journal
from landline.visible import visible

LOOK_S = 1.0
"""How often the outbox is looked into."""
AGAIN_S = 15.0
"""How long after an attempt in vain the same user is tried again."""


class Courier(threading.Thread):
    """Delivers until it is stopped; ``notice`` takes lines for the user."""

    def __init__(
        self,
        caller: Caller,
        client: Callable[[], BrokerClient],
        journal: Callable[[], Journal],
        notice: Callable[[str], None],
    ) -> None:
        super().__init__(name="landline-courier")
        self._caller = caller
        self._client = client
        self._journal = journal
        self._notice = notice
        self._stopping = threading.Event()
        self._again: dict[str, Deadline] = {}

    def run(self) -> None:
        """Look, deliver, rest."""
        told = ""
        while not self._stopping.is_set():
            try:
                with closing(self._journal()) as journal:
                    self._serve(journal)
            except zmq.ContextTerminated:
                return  # the program is ending
            except Exception as error:  # noqa: BLE001 - whatever it is, the user is told
                # It may pass: a journal that is locked, a disk that is full.
                if str(error) != told:
                    told = str(error)
                    self._notice(f"{told}; what was kept for others is not delivered meanwhile")
                self._stopping.wait(LOOK_S)

    def stop(self) -> None:
        """End, in the middle of a delivery, too. May be called again."""
        self._stopping.set()
        while self.is_alive():
            self._caller.hang_up()
            self.join(LOOK_S)

    def _serve(self, journal: Journal) -> None:
        while not self._stopping.wait(LOOK_S):
            for name in journal.addressees():
                self._try(name)

    def _hear(self, message: Message) -> None:
        self._notice(f"{visible(message.sender)} says: {visible(message.text)}")

    def _try(self, name: str) -> None:
        again = self._again.get(name)
        if self._stopping.is_set() or (again is not None and not again.expired):
            return
        self._again[name] = Deadline(AGAIN_S * random.uniform(0.8, 1.2))
        try:
            with closing(self._client()) as client:
                self._caller.deliver(name, client, self._hear)
        except NotAdmitted as error:
            self._notice(f"what is kept for {visible(name)} is not delivered: {error}")
        except RecordsDiffer as error:
            self._notice(str(error))
        except JournalUnusable:
            raise
        except LandlineError:
            return  # they are not there; later, perhaps
        else:
            del self._again[name]
            self._notice(f"what was kept for {visible(name)} is delivered")
