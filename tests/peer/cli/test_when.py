"""Points of time as somebody types them."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.cli.when import lasted, moment, when

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


@pytest.fixture
def kiritimati(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place where it is 14 hours later than in UTC."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20", "2026-11-19T10:00:00+00:00"),
        ("2026-11-20T17:30", "2026-11-20T03:30:00+00:00"),
        ("2026-11-20 17:30", "2026-11-20T03:30:00+00:00"),
        ("2026-11-20T17:30Z", "2026-11-20T17:30:00+00:00"),
        ("2026-11-20T17:30:05.250+02:00", "2026-11-20T15:30:05.250000+00:00"),
        ("30m", "2026-11-20T23:00:00+00:00"),
        ("2h", "2026-11-20T21:30:00+00:00"),
        ("3d", "2026-11-17T23:30:00+00:00"),
        ("1w", "2026-11-13T23:30:00+00:00"),
        ("today", "2026-11-20T10:00:00+00:00"),
        (" Yesterday ", "2026-11-19T10:00:00+00:00"),
        ("13:30", "2026-11-20T23:30:00+00:00"),
        ("9:05", "2026-11-20T19:05:00+00:00"),
        ("13:31", "2026-11-19T23:31:00+00:00"),
        ("23:05", "2026-11-20T09:05:00+00:00"),
    ],
)
def test_what_names_no_zone_is_local(kiritimati: None, text: str, meant: str) -> None:
    """A day begins at midnight here."""
    assert moment(text, NOW).astimezone(UTC).isoformat() == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13-01",
        "3x",
        "-2h",
        "2 h",
        "h",
        "٣d",
        "9999999999999999d",
        "5M",
        "24:00",
        "7:5",
    ],
)
def test_what_is_no_time_is_explained(text: str) -> None:
    """One line says what can be written."""
    with pytest.raises(click.BadParameter, match=r"2026-11-20T17:30.* a time \(17:30\).*yesterday"):
        when(text)


@given(st.text())
def test_anything_typed_is_a_time_or_explained(text: str) -> None:
    """Nothing else is raised."""
    with suppress(click.BadParameter):
        assert when(text).tzinfo is not None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (3_599, "59 minutes"),
        (3 * 3_600, "3 hours"),
        (47 * 3_600, "1 day"),
        (48 * 3_600, "2 days"),
    ],
)
def test_how_long_something_lasts_is_said_in_one_unit(seconds: int, words: str) -> None:
    """Rounded down; a clock that was set back makes no negative time."""
    assert lasted(1_000, 1_000 + seconds * 1_000) == words
