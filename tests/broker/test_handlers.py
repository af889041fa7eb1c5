"""Each operation does what the specification says, over the wire, and says what else is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from landline_broker.address import is_loopback, lan_address
from landline_protocol.limits import CLAIM_S, LEASE_S, RING_S, SESSION_S
from landline_protocol.messages import (
    Call,
    Done,
    Hello,
    Leased,
    Leave,
    Login,
    Logout,
    Policy,
    Presence,
    Problem,
    Register,
    Renew,
    Vet,
    Wait,
    Who,
)
from landline_sql.store import Rules
from landline_sql.throttle import Penalty
from tests.broker.device import PASSWORD, Device, request_id
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline_broker.server import Broker

    Make = Callable[..., Device]
    Start = Callable[..., Broker]

OTHER = "another long password"


# hello


def test_hello_tells_the_rules_and_who_the_device_is(device: Make) -> None:
    alice = device()
    greeting = alice.must(Hello("landline 1"))
    assert greeting.broker == "landline-broker"
    assert greeting.versions == (1, 1)
    assert greeting.policy == Policy(8, 256, LEASE_S, CLAIM_S, RING_S)
    assert greeting.account is None
    account = alice.must(Register("alice", PASSWORD)).account
    assert alice.must(Hello("landline 1")).account is None
    alice.login("alice")
    assert alice.must(Hello("landline 1")).account == account


# register


def test_a_new_user_gets_its_name_and_a_port(device: Make) -> None:
    account = device().must(Register("Alice", PASSWORD)).account
    assert account.name == "alice"
    assert 20_000 <= account.port <= 32_767


def test_a_repeated_registration_gets_the_same_answer_and_a_replayed_one_does_not(
    device: Make,
) -> None:
    alice, mallory, rid = device(), device(), request_id()
    first = alice.must(Register("alice", PASSWORD), rid)
    assert alice.must(Register("alice", PASSWORD), rid) == first
    assert mallory.ask(Register("alice", PASSWORD), rid).code == "name-taken"
    assert alice.refused(Register("ALICE", PASSWORD)) == "name-taken"


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("1alice", PASSWORD, "bad-name"),
        ("a", PASSWORD, "bad-name"),
        ("älice", PASSWORD, "bad-name"),
        ("a" * 33, PASSWORD, "bad-name"),
        ("alice", "short", "bad-password"),
        ("alice", "x" * 257, "bad-password"),
        ("alice", "x" * 2_000, "bad-request"),
    ],
)
def test_names_and_passwords_that_cannot_be(
    device: Make, name: str, password: str, code: str
) -> None:
    assert device().refused(Register(name, password)) == code


def test_without_a_free_port_a_user_gets_port_0(start: Start, dial: Make) -> None:
    broker = start(rules=Rules(ports=range(20_000, 20_001)))
    ports = [dial(broker).must(Register(name, PASSWORD)).account.port for name in ("alice", "bob")]
    assert ports == [20_000, 0]


def test_an_address_registers_so_many_and_others_are_told_when(start: Start, dial: Make) -> None:
    penalty = Penalty(2, window=3600, first=3600, longest=3600, sliding=False)
    broker = start(rules=Rules(register_penalty=penalty))
    for name in ("alice", "bob"):
        dial(broker).must(Register(name, PASSWORD))
    problem = dial(broker).ask(Register("carol", PASSWORD))
    assert problem.code == "throttled"
    assert 3_500 < problem.retry_after <= 3_600


# login and logout


def test_logging_in_binds_the_device(device: Make) -> None:
    alice = device()
    account = alice.must(Register("alice", PASSWORD)).account
    for _ in range(2):
        answer = alice.must(Login("ALICE", PASSWORD))
        assert (answer.account, answer.expires) == (account, SESSION_S)
    other = device().login("alice")
    assert other.must(Hello("x")).account == account


def test_a_password_in_another_normal_form_is_the_same(device: Make) -> None:
    alice = device()
    alice.must(Register("alice", "Zürich ist schön"))
    alice.must(Login("alice", "Zu\u0308rich ist scho\u0308n"))


def test_a_wrong_password_and_an_unknown_name_are_the_same_to_everybody(
    broker: Broker, device: Make
) -> None:
    alice = device().join("alice")
    assert alice.refused(Login("first", OTHER)) == "denied"
    statements: list[list[str]] = []

    def note(*arguments: object) -> None:
        statements[-1].append(str(arguments[2]))

    event.listen(broker.store.database.engine, "before_cursor_execute", note)
    answers = []
    for name in ("alice", "nobody"):
        statements.append([])
        answers.append(alice.ask(Login(name, OTHER)))
    assert answers[0] == answers[1]
    assert answers[0].code == "denied"
    assert statements[0] == statements[1]
    assert len(statements[0]) > 5
    assert broker.store.audit()[-2:] == [
        ("denied", "alice", "127.0.0.1"),
        ("denied", "nobody", "127.0.0.1"),
    ]
    broker.store.release()


def test_failures_throttle_an_account_at_an_address_and_nobody_elsewhere(device: Make) -> None:
    alice = device().join("alice")
    for _ in range(5):
        assert alice.refused(Login("alice", OTHER)) == "denied"
    problem = device().ask(Login("alice", PASSWORD))
    assert problem.code == "throttled"
    assert 0 < problem.retry_after <= 2
    elsewhere = device(host="::1")
    elsewhere.login("alice")
    alice.must(Who())


def test_guessing_names_throttles_the_address(start: Start, dial: Make) -> None:
    penalty = Penalty(3, window=900, first=2, longest=60)
    broker = start(rules=Rules(address_penalty=penalty))
    mallory = dial(broker)
    codes = [mallory.refused(Login(f"user{number}", OTHER)) for number in range(4)]
    assert codes == ["denied"] * 3 + ["throttled"]


def test_a_throttled_account_is_let_in_after_the_time_that_was_said(
    start: Start, dial: Make
) -> None:
    penalty = Penalty(1, window=900, first=0.3, longest=0.3)
    broker = start(rules=Rules(account_penalty=penalty))
    alice = dial(broker).join("alice")
    assert alice.refused(Login("alice", OTHER)) == "denied"
    assert alice.refused(Login("alice", PASSWORD)) == "throttled"
    wait_until(lambda: not isinstance(alice.ask(Login("alice", PASSWORD)), Problem), "the end")


def test_a_hash_of_another_cost_is_renewed_at_login(start: Start, dial: Make) -> None:
    with start() as first:
        dial(first).join("alice")
        before = first.store.credentials("alice")
        first.store.release()
    second = start(bcrypt_cost=5)
    dial(second).login("alice")
    after = second.store.credentials("alice")
    second.store.release()
    assert before
    assert after
    assert (before.hash[:7], after.hash[:7]) == (b"$2b$04$", b"$2b$05$")
    dial(second).login("alice")


def test_logging_in_as_another_user_takes_the_endpoint(device: Make) -> None:
    alice, bob = device().join("alice"), device().join("bob")
    alice.wait()
    alice.login("bob")
    assert bob.state("alice") == "offline"
    assert alice.must(Hello("x")).account.name == "bob"


def test_logging_out_ends_what_the_device_had_and_may_be_repeated(device: Make) -> None:
    alice, bob = device().join("alice"), device().join("bob")
    alice.wait()
    for _ in range(2):
        assert alice.must(Logout()) == Done()
    assert alice.refused(Who()) == "not-logged-in"
    assert bob.state("alice") == "offline"


def test_a_revoked_device_is_denied(broker: Broker, device: Make) -> None:
    alice = device().join("alice")
    broker.store.revoke(alice.key)
    broker.store.release()
    assert alice.refused(Who()) == "not-logged-in"
    problem = alice.ask(Login("alice", PASSWORD))
    assert problem.code == "denied"
    assert "revoked" in problem.say
    device().login("alice")


def test_a_session_ends(start: Start, dial: Make) -> None:
    broker = start(rules=Rules(session=0.3))
    alice = dial(broker).join("alice")
    wait_until(lambda: isinstance(alice.ask(Who()), Problem), "the end of the session")
    assert alice.refused(Who()) == "not-logged-in"


@pytest.mark.parametrize(
    "request_",
    [
        Wait(20_001),
        Renew(engaged=False),
        Leave(),
        Call("alice"),
        Call("alice", resume=True),
        Vet(b"k" * 32),
        Who(),
        Who("alice"),
    ],
    ids=lambda request: type(request).__name__,
)
def test_the_rest_is_for_those_who_are_logged_in(device: Make, request_: object) -> None:
    stranger = device()
    assert stranger.refused(request_) == "not-logged-in"  # type: ignore[arg-type]


# wait, renew, leave


def test_a_device_on_the_brokers_machine_is_where_callers_reach_the_broker(device: Make) -> None:
    for name, host in (("alice", "127.0.0.1"), ("bob", "::1")):
        one = device(host=host).join(name)
        assert one.wait(20_000 + len(name)) == Leased("", 20_000 + len(name), LEASE_S)


@pytest.mark.skipif(is_loopback(lan_address()), reason="this machine has no other address")
def test_a_device_elsewhere_is_where_the_broker_sees_it(device: Make) -> None:
    alice = device(host=lan_address()).join("alice")
    assert alice.wait().host == lan_address()


def test_a_device_may_name_its_host(device: Make) -> None:
    alice, bob = device().join("alice"), device().join("bob")
    assert alice.wait(20_001, "[2001:DB8::1]").host == "2001:db8::1"
    claim = bob.call("alice")
    assert (claim.host, claim.port) == ("2001:db8::1", 20_001)


@pytest.mark.parametrize("host", ["tcp://host", "a b", "0.0.0.0", "host:1"])
def test_a_host_that_is_none_is_refused(device: Make, host: str) -> None:
    assert device().join("alice").refused(Wait(20_001, host)) == "bad-endpoint"


def test_a_place_that_is_taken_is_refused(device: Make) -> None:
    alice, bob = device().join("alice"), device().join("bob")
    alice.wait()
    assert bob.refused(Wait(20_001)) == "port-taken"
    alice.must(Leave())
    bob.wait()


def test_a_lease_ends_and_is_renewed(start: Start, dial: Make) -> None:
    broker = start(rules=Rules(lease=0.4))
    alice, bob = dial(broker).join("alice"), dial(broker).join("bob")
    assert alice.refused(Renew(engaged=False)) == "not-waiting"
    assert alice.wait().lease == 0.4
    assert bob.state("alice") == "waiting"
    wait_until(lambda: bob.state("alice") == "offline", "the end of the lease")
    assert bob.refused(Call("alice")) == "offline"
    assert alice.must(Renew(engaged=False)) == Leased("", 20_001, 0.4)
    assert bob.state("alice") == "waiting"


@pytest.mark.skipif(is_loopback(lan_address()), reason="this machine has no other address")
def test_a_device_that_moves_is_found_where_it_is_now(broker: Broker, device: Make) -> None:
    alice, bob = device().join("alice"), device().join("bob")
    assert alice.wait().host == ""
    alice.move(f"tcp://{lan_address()}:{broker.invite.port}")
    assert alice.must(Renew(engaged=False)).host == lan_address()
    assert bob.call("alice").host == lan_address()
    assert alice.wait(20_001, "192.0.2.7").host == "192.0.2.7"
    assert alice.must(Renew(engaged=False)).host == "192.0.2.7"


def test_a_device_that_starts_again_waits_at_once(device: Make) -> None:
    alice, bob, carol = (device().join(name) for name in ("alice", "bob", "carol"))
    alice.wait()
    bob.call("alice")
    alice.vet(bob)
    alice.must(Renew(engaged=True))
    for port in (20_001, 20_002):
        alice.wait(port)
        assert carol.state("alice") == "waiting"
    assert carol.call("alice").port == 20_002


def test_leaving_may_be_repeated(device: Make) -> None:
    alice = device().join("alice")
    alice.wait()
    for _ in range(2):
        assert alice.must(Leave()) == Done()
    assert alice.refused(Renew(engaged=True)) == "not-waiting"


# call and vet


def test_a_call_from_its_claim_to_its_end(device: Make) -> None:
    alice, bob, carol = (device().join(name) for name in ("alice", "bob", "carol"))
    alice.wait()
    claim = bob.call("Alice")
    assert (claim.name, claim.host, claim.port, claim.key) == ("alice", "", 20_001, alice.key)
    assert 0 < claim.expires <= CLAIM_S
    assert carol.refused(Call("alice")) == "engaged"
    assert alice.refused(Vet(carol.key)) == "unvetted"
    for _ in range(2):
        vetted = alice.vet(bob)
        assert (vetted.call, vetted.name) == (claim.call, "bob")
    assert carol.refused(Call("bob")) == "engaged"
    alice.must(Renew(engaged=True))
    assert [carol.state(name) for name in ("alice", "bob")] == ["engaged", "engaged"]
    alice.wait()
    assert [carol.state(name) for name in ("alice", "bob")] == ["waiting", "offline"]
    assert alice.refused(Vet(bob.key)) == "unvetted"


def test_a_repeated_call_gets_the_same_claim(device: Make) -> None:
    alice, bob, rid = device().join("alice"), device().join("bob"), request_id()
    alice.wait()
    first = bob.call("alice", rid)
    assert bob.call("alice", rid).call == first.call
    assert bob.refused(Call("alice")) == "engaged"


def test_a_repeated_wait_leaves_the_claim(device: Make) -> None:
    alice, bob, rid = device().join("alice"), device().join("bob"), request_id()
    alice.must(Wait(20_001), rid)
    bob.call("alice")
    alice.must(Wait(20_001), rid)
    assert alice.vet(bob).name == "bob"


def test_who_cannot_be_called(device: Make) -> None:
    alice, _ = device().join("alice"), device().join("bob")
    for name, code in (
        ("alice", "self-call"),
        ("ALICE", "self-call"),
        ("bob", "offline"),
        ("carol", "unknown-user"),
        ("no name at all", "unknown-user"),
    ):
        assert alice.refused(Call(name)) == code


def test_a_claim_that_is_not_vetted_frees_itself(start: Start, dial: Make) -> None:
    broker = start(rules=Rules(claim=0.3))
    alice, bob, carol = (dial(broker).join(name) for name in ("alice", "bob", "carol"))
    alice.wait()
    bob.call("alice")
    wait_until(lambda: carol.state("alice") == "waiting", "the end of the claim")
    assert alice.refused(Vet(bob.key)) == "unvetted"
    carol.call("alice")
    assert alice.vet(carol).name == "carol"


def test_a_caller_asks_where_its_callee_is_now(device: Make) -> None:
    alice, bob, carol = (device().join(name) for name in ("alice", "bob", "carol"))
    alice.wait()
    resume, rid = Call("Alice", resume=True), request_id()
    assert bob.refused(resume) == "denied"
    first = bob.call("alice")
    assert bob.refused(resume) == "denied"
    alice.vet(bob)
    for _ in range(2):
        found = bob.must(resume, rid)
        assert (found.call, found.name, found.host, found.port, found.key) == (
            first.call,
            "alice",
            "",
            20_001,
            alice.key,
        )
        assert 0 < found.expires <= LEASE_S
    assert carol.refused(resume) == "denied"
    assert bob.refused(Call("alice")) == "engaged"
    alice.must(Leave())
    assert bob.refused(resume) == "offline"
    assert alice.refused(resume) == "self-call"
    assert bob.refused(Call("zoe", resume=True)) == "unknown-user"


def test_any_waiting_device_of_a_user_will_do(device: Make) -> None:
    devices = [device().join("alice"), device().login("alice")]
    for number, one in enumerate(devices):
        one.wait(20_001 + number)
    callers = [device().join(name) for name in ("bob", "carol", "dave")]
    reached = {caller.call("alice").key for caller in callers[:2]}
    assert reached == {one.key for one in devices}
    assert callers[2].refused(Call("alice")) == "engaged"


# who


def test_who_there_is_by_name(device: Make) -> None:
    alice, _ = device().join("alice"), device().join("bob")
    assert alice.must(Who("BOB")).users == [Presence("bob", "offline")]
    assert alice.refused(Who("carol")) == "unknown-user"
    assert alice.refused(Who("not a name")) == "unknown-user"


def test_who_there_is_a_page_at_a_time(
    device: Make, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landline_broker.handlers.WHO_PAGE_MAX", 2)
    alice = device().join("alice")
    for name in ("bob", "carol", "dave", "erin"):
        alice.must(Register(name, PASSWORD))
    pages, after = [], ""
    while True:
        page = alice.must(Who(after=after))
        pages.append([presence.name for presence in page.users])
        if not page.more:
            break
        after = pages[-1][-1]
    assert pages == [["alice", "bob"], ["carol", "dave"], ["erin"]]
