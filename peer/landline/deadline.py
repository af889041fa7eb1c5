"""One deadline for all the steps of one operation, instead of timeouts that add up."""

import math
import time
from operator import attrgetter
from typing import Final

_POLL_MOST_MS: Final = 2**31 - 1  # 24 days: a poll takes no more


class Deadline:
    """A moment, some ``seconds`` from now; ``None`` means never."""

    __slots__ = ("_moment",)

    def __init__(self, seconds: float | None) -> None:
        self._moment = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self._moment

    def first(self, *others: "Deadline") -> "Deadline":
        """Return the one of several that comes first."""
        return min((self, *others), key=_moment)

    def remaining(self, most: float | None = None) -> float | None:
        """Return the seconds that are left, never below zero, at most ``most``."""
        if self._moment == math.inf:
            return most
        left = max(0.0, self._moment - time.monotonic())
        return left if most is None else min(left, most)

    def remaining_ms(self) -> int | None:
        """Return milliseconds for a poll: what is left, rounded up; ``None`` means forever.

        A poll can end before a deadline that is weeks away.
        """
        left = self.remaining()
        return None if left is None else min(int(left * 1000) + 1, _POLL_MOST_MS)


_moment = attrgetter("_moment")
