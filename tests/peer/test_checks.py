"""What a user typed is passed on in its one spelling, or refused in the protocol's words."""

from __future__ import annotations

import pytest

from landline.checks import checked_name, checked_password
from landline.errors import InvalidInput


def test_a_name_gets_its_one_spelling() -> None:
    assert checked_name("Alice") == "alice"


def test_a_password_stays_as_it_was_typed() -> None:
    assert checked_password("cafe\u0301 au lait") == "cafe\u0301 au lait"


def test_what_nobody_can_be_called_is_a_usage_error() -> None:
    with pytest.raises(InvalidInput, match="starts with a letter") as caught:
        checked_name("4lice")
    assert caught.value.exit_status == 2


def test_what_nobody_can_have_as_a_password_is_not_repeated() -> None:
    with pytest.raises(InvalidInput, match="8 to 256 characters") as caught:
        checked_password("short")
    assert "short" not in str(caught.value)
