"""One deadline for all the steps of one operation, instead of timeouts that add up."""

import time


class Deadline:
    """A moment, some ``seconds`` from now; ``None`` means never."""

    def __init__(self, seconds: float | None) -> None:
        self._moment = None if seconds is None else time.monotonic() + seconds

    @property
    def expired(self) -> bool:
        return self._moment is not None and time.monotonic() >= self._moment

    def remaining(self, most: float | None = None) -> float | None:
        """Return the seconds that are left, never below zero, at most ``most``."""
        if self._moment is None:
            return most
        left = max(0.0, self._moment - time.monotonic())
        return left if most is None else min(left, most)

    def remaining_ms(self, most: float | None = None) -> int | None:
        """Return the milliseconds left for a poll, rounded up; ``None`` means forever."""
        left = self.remaining(most)
        return None if left is None else int(left * 1000) + 1
