"""Points of time, as somebody types them: a date, a time, both, or how long ago.

What names no zone is local time. It reads no clock by itself: who asks says
what time it is.
"""

import re
from datetime import UTC, datetime, time, timedelta

import click

_AGO = re.compile(r"([0-9]+)([mhdw])")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS_BACK = {"today": 0, "yesterday": 1}


def when(value: object) -> datetime:
    """Return the point of time that an option's value means now.

    Raises:
        BadParameter: it means none.
    """
    try:
        return moment(str(value), datetime.now(UTC))
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{value!r} is no time; write a date (2026-11-20), a date and time"
            " (2026-11-20T17:30), a time (17:30), how long ago (30m, 2h, 3d, 1w), today or"
            " yesterday"
        ) from None


def moment(text: str, now: datetime) -> datetime:
    """Return the point of time that ``text`` means at the time ``now``.

    Raises:
        ValueError, OverflowError, OSError: it means none, or none that a calendar has.
    """
    text = text.strip()
    if text.lower() in _DAYS_BACK:
        return _on_day(now, _DAYS_BACK[text.lower()])
    # A capital M could be a month as well.
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    if clock := _CLOCK.fullmatch(text):
        of_day = time(int(clock[1]), int(clock[2]))
        today = _on_day(now, 0, of_day)
        return today if today <= now else _on_day(now, 1, of_day)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.astimezone()


def _on_day(now: datetime, back: int, of_day: time = time.min) -> datetime:
    """Return a time of the day here that is so many days back."""
    day = now.astimezone().date() - timedelta(days=back)
    return datetime.combine(day, of_day).astimezone()


def lasted(at_ms: int, now_ms: int) -> str:
    """Return in words how much time lies between two times, in ms since 1970."""
    minutes = (now_ms - at_ms) // 60_000
    for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "less than a minute"
