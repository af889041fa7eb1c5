"""The syncer thread of a line: waits for the disk, so that the sender need not.

What was heard is acknowledged only when it survives a power cut. A sync takes
milliseconds on many disks; meanwhile the sender goes on. It uses nothing of
the journal but ``sync``.
"""

import threading
from queue import SimpleQueue

from landline.errors import ConversationBroken, LandlineError
from landline.journal import Journal
from landline.letters import Mailbox, Synced


class Syncer(threading.Thread):
    """Answers each ``sync`` by ``Synced``; those that wait for one sync share the next."""

    def __init__(self, journal: Journal, mailbox: Mailbox) -> None:
        super().__init__(name="landline-syncer")
        self._journal = journal
        self._mailbox = mailbox
        self._orders: SimpleQueue[int | None] = SimpleQueue()

    def sync(self, upto: int) -> None:
        """Order a sync of all that is stored by now, the last heard item being ``upto``."""
        self._orders.put(upto)

    def stop(self) -> None:
        """End after the sync that is under way. May be called again, also before the start."""
        self._orders.put(None)
        if self.ident is not None:
            self.join()

    def run(self) -> None:
        """Sync until told to stop."""
        while (upto := self._orders.get()) is not None:
            while not self._orders.empty():
                later = self._orders.get()
                if later is None:
                    return
                upto = later
            try:
                self._journal.sync()
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing more is confirmed
                self._mailbox.put(Synced(upto, _told(error)))
                return
            self._mailbox.put(Synced(upto, None))


def _told(error: Exception) -> LandlineError:
    if isinstance(error, LandlineError):
        return error
    told = ConversationBroken(f"an error in this program: {error!r}")
    told.__cause__ = error
    return told
