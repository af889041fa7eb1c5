"""The codes that travel, and the exceptions that carry them."""

import re

import pytest

from landline_protocol.errors import (
    ErrorCode,
    FailCode,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
)


@pytest.mark.parametrize("code", [*ErrorCode, *FailCode])
def test_a_code_is_a_few_lower_case_words(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert len(code) <= 32


def test_their_breach_carries_the_code_that_they_are_told() -> None:
    error = RemoteProtocolError(FailCode.OVERRUN, "too much")
    assert (error.code, str(error)) == ("overrun", "too much")


def test_both_breaches_are_protocol_errors_and_neither_is_the_other() -> None:
    assert issubclass(LocalProtocolError, ProtocolError)
    assert issubclass(RemoteProtocolError, ProtocolError)
    assert not issubclass(RemoteProtocolError, LocalProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
