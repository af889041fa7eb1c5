"""Waiting for something that has no event to wait for, always with a deadline.

The one place of the tests that polls; it never waits for a fixed time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

POLL_INTERVAL = 0.005


class Deadline:
    """One point in time that every step of an operation shares.

    `seconds` counts from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left; never below 0, so that it can be handed on as a timeout."""
        return max(0.0, self._at - time.monotonic())

    @property
    def over(self) -> bool:
        return self.left == 0.0


def poll_until(condition: Callable[[], T], seconds: float = 10.0) -> T:
    """Return the first true result of `condition`, or the last one after `seconds`."""
    deadline = Deadline(seconds)
    while not (result := condition()) and not deadline.over:
        time.sleep(min(POLL_INTERVAL, deadline.left))
    return result


def wait_until(condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
    """Return the first true result of `condition`; AssertionError naming `what` otherwise."""
    result = poll_until(condition, seconds)
    if not result:
        raise AssertionError(f"not within {seconds} s: {what} (last seen: {result!r})")
    return result
