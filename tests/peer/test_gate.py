"""The gate: who is let in, how often the broker is asked, and the lease."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import zmq

from landline.client import BrokerClient
from landline.device import device_key
from landline.ends import Knocker
from landline.errors import LandlineError
from landline.gate import ADDRESSES_MOST, VETS_AT_ONCE, Gate, _Purse
from landline_protocol.messages import Done, Leave, Logout, Presence
from landline_sql.store import Rules
from tests.peer.raw import Raw, fresh_key
from tests.peer.stage import DEADLINE_S
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline.device import DeviceKey
    from landline.peer import Peer
    from tests.peer.stage import Stage


@pytest.fixture
def gate(stage: Stage) -> Callable[..., Gate]:
    """Make a gate that stands until the stage ends."""
    context: zmq.Context[zmq.Socket[bytes]] = stage.resources.enter_context(zmq.Context())

    def make(key: DeviceKey | None = None) -> Gate:
        notice = stage.notices["gate"].append
        made = Gate(
            context, stage.invite, key or fresh_key(), "", notice, lambda name: name == "carol"
        )
        made.start()
        stage.resources.callback(made.stop)
        return made

    return make


def ask_as(stage: Stage, peer: Peer, request: Leave | Logout) -> None:
    """Ask the broker for something with the key of a peer that waits."""
    with (
        zmq.Context() as context,
        closing(BrokerClient(context, stage.invite, device_key(peer.home))) as client,
    ):
        client.ask(request, Done)


def zap(*parts: bytes) -> list[bytes]:
    return [b"1.0", b"7", *parts]


@pytest.mark.parametrize(
    "request_",
    [
        [],
        [b"1.0"],
        zap(b"landline-peer", b"127.0.0.1", b"", b"NULL"),
        zap(b"landline-peer", b"127.0.0.1", b"", b"PLAIN", b"alice", b"password"),
        zap(b"other", b"127.0.0.1", b"", b"CURVE", b"k" * 32),
        zap(b"landline-peer", b"127.0.0.1", b"", b"CURVE", b"k" * 31),
        zap(b"landline-peer", b"127.0.0.1", b"", b"CURVE", b"k" * 32),
    ],
)
def test_everybody_else_is_refused(gate: Callable[..., Gate], request_: list[bytes]) -> None:
    answer = gate()._answer(request_)
    assert answer == [b"1.0", *(request_[1:2] or [b""]), b"400", b"refused", b"", b""]


def test_only_whom_the_broker_sent_is_let_in(stage: Stage) -> None:
    waiting = stage.wait(stage.peer("bob"))
    mallory = Raw(stage, "mallory")
    claimed = mallory.claim("bob")
    assert mallory.dial(claimed, fresh_key()).gone()
    wire = mallory.dial(claimed)
    wire.send(mallory.hello("bob"))
    assert next(iter(waiting)).caller == "mallory"
    assert mallory.dial(claimed, fresh_key()).gone()


def test_the_broker_is_asked_about_few_strangers_of_one_address_at_once() -> None:
    purse = _Purse()
    allowed = [purse.spend(b"10.0.0.1") for _ in range(VETS_AT_ONCE + 3)]
    assert allowed == [True] * VETS_AT_ONCE + [False] * 3
    assert purse.spend(b"10.0.0.2")


def test_a_caller_whom_the_broker_knows_costs_nothing() -> None:
    purse = _Purse()
    for _ in range(2 * VETS_AT_ONCE):
        assert purse.spend(b"10.0.0.1")
        purse.give_back(b"10.0.0.1")


def test_only_so_many_addresses_are_kept_count_of() -> None:
    purse = _Purse()
    knocks = [purse.spend(b"%d" % number) for number in range(ADDRESSES_MOST + 3)]
    assert knocks == [True] * ADDRESSES_MOST + [False] * 3


def test_strangers_are_vetted_only_so_often(stage: Stage) -> None:
    waiting = stage.wait(stage.peer("bob"))
    answers = [waiting._gate._purse.spend(b"127.0.0.1") for _ in range(VETS_AT_ONCE)]
    assert all(answers)
    mallory = Raw(stage, "mallory")
    assert mallory.dial(mallory.claim("bob")).gone()


def test_stop_may_be_repeated_and_ends_what_is_ordered(gate: Callable[..., Gate]) -> None:
    stands = gate()
    stands.stop()
    stands.stop()
    with pytest.raises(LandlineError, match="the program is ending"):
        stands.publish(7_000)
    with pytest.raises(LandlineError):
        stands.engage(Knocker("alice", b"k" * 32))


def test_one_gate_at_a_time_in_a_context(gate: Callable[..., Gate]) -> None:
    gate()
    with pytest.raises(LandlineError, match="cannot wait for calls"):
        gate()


def test_a_gate_that_ends_by_itself_tells(gate: Callable[..., Gate]) -> None:
    stands = gate()
    told: list[bool] = []
    stands.on_end = lambda: told.append(True)
    stands._context.term()
    stands.join(DEADLINE_S)
    assert told == [True]
    with pytest.raises(LandlineError, match="the program is ending"):
        stands.engage(Knocker("alice", b"k" * 32))


def test_publishing_needs_a_login(gate: Callable[..., Gate]) -> None:
    with pytest.raises(LandlineError) as caught:
        gate().publish(7_000)
    assert caught.value.exit_status == 4


def test_the_lease_is_renewed_and_an_endpoint_that_is_gone_comes_back(stage: Stage) -> None:
    stage.settings = replace(stage.settings, rules=Rules(lease=0.6))
    bob = stage.peer("bob")
    stage.wait(bob)
    alice = stage.peer("alice")
    ask_as(stage, bob, Leave())
    state = [Presence("bob", "waiting")]
    wait_until(lambda: alice.who("bob") == state, "bob waits again")


def test_an_engaged_endpoint_that_is_gone_comes_back_engaged(stage: Stage) -> None:
    stage.settings = replace(stage.settings, rules=Rules(lease=0.6))
    bob = stage.peer("bob")
    waiting = stage.wait(bob)
    stage.talk_again(stage.peer("alice"), waiting, iter(waiting))
    ask_as(stage, bob, Leave())
    carol = stage.peer("carol")
    engaged = [Presence("bob", "engaged")]
    wait_until(lambda: carol.who("bob") == engaged, "bob is engaged again")


def test_a_login_that_has_gone_is_said_once(stage: Stage) -> None:
    stage.settings = replace(stage.settings, rules=Rules(lease=0.6))
    bob = stage.peer("bob")
    stage.wait(bob)
    ask_as(stage, bob, Logout())
    wait_until(lambda: stage.notices["bob"], "bob is told")
    assert stage.notices["bob"][0].endswith("still waiting")
