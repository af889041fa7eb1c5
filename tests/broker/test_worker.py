"""Whatever a request is and whatever becomes of it, there is an answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landline_broker.context import peer_frame
from landline_broker.handlers import Services
from landline_broker.passwords import Passwords
from landline_broker.worker import answer
from landline_protocol.codec import decode_reply, encode_request
from landline_protocol.errors import ErrorCode
from landline_protocol.messages import REQUESTS, Hello, Problem, Register, Who
from landline_sql.database import Database, parse_url
from landline_sql.store import Store
from tests.broker.device import PASSWORD, request_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from landline_protocol.messages import Request

PEER = peer_frame("0" * 40, "192.0.2.7")


@pytest.fixture
def services(tables_url: str) -> Iterator[Services]:
    """A store with its tables."""
    with Store(Database(parse_url(tables_url))) as store:
        yield Services(store, Passwords(4), "test")


@pytest.fixture
def without_tables(sqlite_url: str) -> Iterator[Services]:
    """A store whose tables are missing."""
    with Store(Database(parse_url(sqlite_url))) as store:
        yield Services(store, Passwords(4), "test")


def ask(services: Services, request: Request) -> object:
    rid = request_id()
    _, *frames = encode_request(request, rid)
    return decode_reply(answer([PEER, *frames], services), request, rid)


def test_a_request_is_answered(services: Services) -> None:
    assert not isinstance(ask(services, Hello("x")), Problem)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.sampled_from(sorted(REQUESTS)), st.binary(max_size=60))
def test_any_body_is_answered(services: Services, operation: str, body: bytes) -> None:
    rid = request_id()
    frames = answer([PEER, operation.encode(), rid, body], services)
    assert frames[1] == rid
    assert frames[2].decode() in {"ok", *ErrorCode} - {"internal"}


def test_what_should_not_happen_is_an_incident_that_the_log_explains(
    services: Services, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.store, "rules", None)
    with caplog.at_level(logging.ERROR):
        problem = ask(services, Hello("x"))
    assert isinstance(problem, Problem)
    assert problem.incident
    assert problem.code == ErrorCode.INTERNAL
    assert problem.incident in problem.say
    assert problem.incident in caplog.text


def test_a_database_without_tables_is_an_operators_affair(
    without_tables: Services, caplog: pytest.LogCaptureFixture
) -> None:
    for request in (Who("alice"), Register("alice", PASSWORD)):
        problem = ask(without_tables, request)
        assert isinstance(problem, Problem)
        assert problem.code == ErrorCode.UNAVAILABLE
    assert "no such table" in caplog.text
    assert PASSWORD not in caplog.text
