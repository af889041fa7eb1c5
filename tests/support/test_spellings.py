"""A text is found in each spelling, wherever it begins, and not where it is not."""

from __future__ import annotations

import base64
import secrets

import pytest

from tests.support.spellings import found, spellings

TEXT = "Über den Dächern, 4:17 ?>?>?>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("before", range(6))
def test_a_text_is_found_wherever_it_begins(encoding: str, before: int) -> None:
    octets = bytes(range(200, 200 + before)) + TEXT.encode(encoding) + b"after"
    assert found(TEXT, octets) == [encoding]
    assert found(TEXT, octets.hex().encode()) == [f"hex of {encoding}"]
    assert found(TEXT, octets.hex().upper().encode()) == [f"hex of {encoding}"]
    shift = before % 3
    assert f"base64 of {encoding}, shifted by {shift}" in found(TEXT, base64.b64encode(octets))
    url_safe = base64.urlsafe_b64encode(octets)
    assert f"base64url of {encoding}, shifted by {shift}" in found(TEXT, url_safe)


def test_a_text_is_not_found_where_it_is_not() -> None:
    assert found(TEXT, secrets.token_bytes(100_000) + TEXT[1:].encode()) == []


def test_no_spelling_of_a_word_is_so_short_that_chance_would_find_it() -> None:
    assert min(map(len, spellings("lighthouse").values())) >= 10
