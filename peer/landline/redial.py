"""When and where a broken link is tried again: patience, pauses, the address.

One for each line, used by the receiver's thread. It opens no socket; where
the callee is by now it asks of whom the line's end names for that.
"""

import random

from landline.deadline import Deadline
from landline.ends import Address, Dial, Listen
from landline.letters import Stake
from landline_protocol.limits import FAREWELL_S, REDIAL_FIRST_MS, REDIAL_LONGEST_MS

FIRST_PAUSE_S = 0.01
"""About how long after a cut a caller knocks first: the callee has to notice it, too."""
PAUSE_S = REDIAL_FIRST_MS / 1_000
"""About how long it waits after the first knock in vain; each next one twice as long."""
PAUSE_MOST_S = REDIAL_LONGEST_MS / 1_000
REBIND_S = 0.05
"""How long a callee waits before it listens anew for the third time and later."""
ASK_AFTER_S = 1.0
"""How long after a cut the broker is asked where the callee is."""
ASK_AGAIN_S = 5.0


class Redial:
    """What is known of an outage, from its begin to its end."""

    def __init__(self, end: Dial | Listen) -> None:
        self._end = end
        self._address = end.address if isinstance(end, Dial) else Address("", 0)
        self.under_way = False
        self.stake = Stake.TEXTS
        self.patience = Deadline(end.dial_s if isinstance(end, Dial) else None)
        self._attempts = 0
        self._ask = Deadline(None)

    @property
    def address(self) -> Address:
        """Where the callee is, as far as is known."""
        return self._address

    @property
    def parting(self) -> bool:
        """Whether both have said bye: nobody is told of this outage."""
        return self.stake is not Stake.TEXTS

    def begin(self, stake: Stake) -> None:
        """Note that the link has died; with both byes said there is little to wait for."""
        self.under_way = True
        self.stake = stake
        most = FAREWELL_S if self.parting else self._end.redial_s
        self.patience = Deadline(min(most, self._end.redial_s))
        self._attempts = 0
        self._ask = Deadline(ASK_AFTER_S)

    def lower(self, stake: Stake) -> None:
        """Note that less is at stake than at the begin of the outage, perhaps."""
        if stake is not Stake.TEXTS and not self.parting:
            self.patience = Deadline(self.patience.remaining(FAREWELL_S))
        self.stake = stake

    def end(self) -> None:
        """Note that a link is there."""
        self.under_way = False
        self.patience = Deadline(None)

    def pause(self) -> float:
        """Return how long to wait before the next attempt, in seconds, with jitter."""
        self._attempts += 1
        if isinstance(self._end, Listen):
            return 0.0 if self._attempts < 3 else REBIND_S
        if self._attempts == 1:
            pause = FIRST_PAUSE_S
        else:
            pause = min(PAUSE_S * 2.0 ** min(self._attempts - 2, 20), PAUSE_MOST_S)
        return float(self.patience.remaining(pause * random.uniform(0.75, 1.25)) or 0.0)

    def look_up(self) -> bool:
        """Ask where the callee is, when knocking has been in vain; return whether it has moved."""
        if not (isinstance(self._end, Dial) and self._ask.expired):
            return False
        before = self._address
        self._address = self._end.ask() or before
        self._ask = Deadline(ASK_AGAIN_S)
        return self._address != before
