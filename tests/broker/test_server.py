"""A broker starts, serves, survives its database and ends without a trace."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from landline_broker.address import Listen, lan_address
from landline_broker.server import Broker, CannotListen, opened_store
from landline_protocol.messages import Call, Hello, Problem, Register, Who
from landline_sql.errors import SchemaError, Unavailable
from landline_sql.store import Rules
from tests.broker.device import PASSWORD, Device, request_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline_broker.settings import Settings
    from landline_protocol.messages import Request
    from tests.support.mariadb import MariaDB

    Make = Callable[..., Device]
    Start = Callable[..., Broker]

HELLO = Hello("x")


def all_at_once(devices: list[Device], request: Callable[[int], Request]) -> list[Any]:
    """Let every device ask before any answer is read; return the answers."""
    asked = [(one, request(number), request_id()) for number, one in enumerate(devices)]
    for one, what, rid in asked:
        one.send(what, rid)
    return [one.receive(what, rid) for one, what, rid in asked]


def test_it_starts_and_stops_again_and_again(plain: Settings, dial: Make) -> None:
    broker = Broker(plain)
    with pytest.raises(RuntimeError):
        broker.invite  # noqa: B018
    with pytest.raises(RuntimeError):
        broker.store  # noqa: B018
    keys = set()
    for _ in range(2):
        broker.start()
        broker.start()
        dial(broker).must(HELLO)
        keys.add(broker.invite.key)
        assert broker.stop()
        assert broker.stop()
    assert len(keys) == 1
    assert not broker.failed


def test_the_invite_leads_there_from_the_network(plain: Settings, dial: Make) -> None:
    with Broker(plain) as broker:
        assert broker.invite.host == lan_address()
        for host in (broker.invite.host, "127.0.0.1", "::1"):
            dial(broker, host=host).must(HELLO)
    with Broker(replace(plain, advertise="chat.example", listen=Listen("127.0.0.1", 0))) as broker:
        assert broker.invite.host == "chat.example"
        dial(broker).must(HELLO)


def test_a_port_in_use_is_named_and_nothing_is_left(plain: Settings) -> None:
    with Broker(plain) as broker:
        taken = replace(plain, listen=Listen("*", broker.invite.port))
        second = Broker(taken)
        with pytest.raises(CannotListen, match=r"is in use: choose another port"):
            second.start()
    second.start()
    assert second.stop()


def test_an_address_of_another_machine_is_named(plain: Settings) -> None:
    elsewhere = replace(plain, listen=Listen("203.0.113.9", 7720))
    with pytest.raises(CannotListen, match=r"cannot listen on tcp://203\.0\.113\.9:7720"):
        Broker(elsewhere).start()


def test_a_mysql_database_without_tables_is_refused(plain: Settings, mariadb_url: str) -> None:
    with pytest.raises(SchemaError, match="landline-broker migrate"):
        Broker(replace(plain, database=mariadb_url)).start()


def test_a_database_that_is_not_there_is_refused(plain: Settings) -> None:
    with pytest.raises(Unavailable, match="check --database"):
        opened_store(replace(plain, database="mysql://user:hidden@127.0.0.1:9/landline"))


def test_brokers_of_one_database_are_one_directory(start: Start, dial: Make) -> None:
    first, second = start(), start()
    assert first.invite.key == second.invite.key
    alice, bob = dial(first).join("alice"), dial(second).join("bob")
    alice.wait()
    assert bob.call("alice").key == alice.key
    assert alice.vet(bob).name == "bob"
    again = dial(second).login("alice")
    assert again.state("bob") == "engaged"


def test_users_who_register_at_two_brokers_at_once_get_different_ports(
    start: Start, dial: Make
) -> None:
    rules = Rules(ports=range(20_000, 20_100))
    brokers = [start(rules=rules), start(rules=rules)]
    devices = [dial(brokers[number % 2]) for number in range(64)]
    answers = all_at_once(devices, lambda number: Register(f"user{number}", PASSWORD))
    assert not [answer for answer in answers if isinstance(answer, Problem)]
    ports = {answer.account.port for answer in answers}
    assert len(ports) == 64
    assert 0 not in ports


def test_a_name_that_is_registered_at_two_brokers_at_once_is_given_once(
    start: Start, dial: Make
) -> None:
    brokers = [start(), start()]
    devices = [dial(brokers[number % 2]) for number in range(8)]
    answers = all_at_once(devices, lambda _: Register("alice", PASSWORD))
    codes = [answer.code for answer in answers if isinstance(answer, Problem)]
    assert codes == ["name-taken"] * 7


def test_of_fifty_callers_at_two_brokers_one_gets_through(start: Start, dial: Make) -> None:
    brokers = [start(), start()]
    alice = dial(brokers[0]).join("alice")
    alice.wait()
    callers = [dial(brokers[number % 2]).join(f"caller{number}") for number in range(50)]
    answers = all_at_once(callers, lambda _: Call("alice"))
    codes = [answer.code for answer in answers if isinstance(answer, Problem)]
    assert codes == ["engaged"] * 49
    (winner,) = [
        caller
        for caller, answer in zip(callers, answers, strict=True)
        if not isinstance(answer, Problem)
    ]
    assert alice.vet(winner).name == f"caller{callers.index(winner)}"


def test_a_database_that_goes_away_and_comes_back_needs_no_restart(
    plain: Settings,
    empty_mariadb: str,
    mariadb: MariaDB,
    dial: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Broker(replace(plain, database=empty_mariadb, directory_threads=3)) as broker:
        alice = dial(broker).join("alice")
        mariadb.stop()
        for request in (Who("alice"), HELLO, Call("bob"), Register("bob", PASSWORD)):
            problem = alice.ask(request)
            assert (problem.code, problem.retry_after) == ("unavailable", 1.0)
        mariadb.start()
        for _ in range(6):
            assert alice.state("alice") == "offline"
        dial(broker).join("bob")
        mariadb.kill()
        mariadb.start()
        for _ in range(6):  # the first at each worker meets a connection that is dead
            assert alice.state("alice") == "offline"
    assert mariadb.password not in caplog.text


def test_a_database_that_hangs_does_not_keep_it_from_stopping(
    plain: Settings, empty_mariadb: str, mariadb: MariaDB, dial: Make
) -> None:
    with Broker(replace(plain, database=empty_mariadb, directory_threads=1)) as broker:
        alice = dial(broker).join("alice")
        mariadb.pause()
        try:
            alice.send(HELLO)
            assert broker.stop()
        finally:
            mariadb.resume()


def test_a_part_that_ends_before_its_time_is_told(plain: Settings) -> None:
    broker = Broker(plain)
    broker.start()
    context = broker._context
    assert context is not None
    with context.socket(zmq.PUSH) as control:
        control.connect("inproc://landline-control")
        control.send(b"")
        assert broker.ended.wait(5)
    assert broker.failed
    assert broker.stop()


def test_nothing_secret_is_logged(
    start: Start, dial: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        broker = start()
        alice = dial(broker).join("alice")
        alice.refused(Register("alice", "hidden from all"))
        alice.wait()
        hashed = broker.store.credentials("alice")
        broker.store.release()
        assert broker.stop()
    assert hashed
    for secret in (PASSWORD, "hidden from all", hashed.hash.decode(), "$2b$"):
        assert secret not in caplog.text
