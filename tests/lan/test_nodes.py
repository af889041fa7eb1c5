"""Peers on different nodes find each other through the broker, and talk without it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline_protocol.invite import bracketed
from tests.support.town import say_bye
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from landline_protocol.invite import Invite
    from tests.support.town import Town

KNOCK = Path(__file__).with_name("knock.py")


def local(town: Town) -> Invite:
    """Return the invite as somebody on the broker's own node may write it."""
    return replace(town.invite, host=town.lan["broker"].loopback)


def test_the_invite_names_an_address_that_the_other_nodes_reach(town: Town) -> None:
    assert (town.invite.host, town.invite.port) == (town.lan["broker"].address, 7720)
    assert town.states("alice").keys() == {"alice", "bob", "carol"}


def test_users_see_who_waits_and_talk_until_both_have_said_bye(town: Town) -> None:
    bob = town.waiting("bob")
    assert town.states("carol")["bob"] == "waiting"
    alice = town.landline("alice", "call", "bob")
    alice.send_line("Grüße aus Zürich")
    bob.expect_line("Grüße aus Zürich")
    assert town.states("carol")["bob"] == "engaged"
    alice.send_line("bye")
    bob.send_line("one thing more")
    alice.expect_line("one thing more")
    say_bye(bob, alice)
    assert town.states("carol")["bob"] == "offline"


def test_the_endpoint_is_the_callee_s_own_address_and_the_link_goes_there(town: Town) -> None:
    alice, bob = town.conversation("alice", "bob", "--json")
    events = {event["event"]: event for event in map(json.loads, alice.stdout_lines)}
    here, there = (bracketed(town.lan[name].address) for name in ("alice", "bob"))
    endpoint, connected = events["endpoint"], events["connected"]
    assert endpoint["host"] == town.lan["bob"].address
    assert connected["here"].startswith(f"{here}:")
    assert connected["there"] == f"{there}:{endpoint['port']}"
    say_bye(alice, bob)


def test_what_is_said_passes_neither_the_broker_nor_a_bystander(town: Town) -> None:
    def aside() -> int:
        return town.lan["broker"].octets() + town.lan["carol"].octets()

    alice, bob = town.conversation("alice", "bob")
    before, before_bob = aside(), town.lan["bob"].octets()
    for number in range(200):
        alice.send_line(f"{number} {'x' * 10_000}")
    bob.expect_line("^199 ")
    grown, grown_bob = aside() - before, town.lan["bob"].octets() - before_bob
    say_bye(alice, bob)
    assert grown_bob > 2_000_000
    assert grown < 20_000


@pytest.mark.parametrize("caller_at", ["alice", "broker"])
def test_a_peer_on_the_broker_s_node_is_reached_from_everywhere(town: Town, caller_at: str) -> None:
    """The broker has seen a loopback address, so callers try where they reach the broker."""
    town.run("bob", "login", "bob", at="broker", invite=local(town))
    invite = local(town) if caller_at == "broker" else town.invite
    town.run("alice", "login", "alice", at=caller_at, invite=invite)
    bob = town.waiting("bob", at="broker", invite=local(town))
    alice = town.landline("alice", "call", "bob", at=caller_at, invite=invite)
    alice.send_line("so near")
    bob.expect_line("so near")
    say_bye(alice, bob)


def test_a_peer_on_the_broker_s_node_calls_the_others(town: Town) -> None:
    town.run("alice", "login", "alice", at="broker", invite=local(town))
    bob = town.waiting("bob")
    alice = town.landline("alice", "call", "bob", at="broker", invite=local(town))
    alice.send_line("hello out there")
    bob.expect_line("hello out there")
    say_bye(alice, bob)


def test_who_calls_while_two_talk_is_told_that_the_other_is_engaged(town: Town) -> None:
    alice, bob = town.conversation("alice", "bob")
    carol = town.landline("carol", "call", "bob")
    assert carol.wait() == 3
    carol.expect_error_line("engaged")
    alice.send_line("where were we?")
    bob.expect_line("where were we")
    say_bye(alice, bob)


def test_of_two_who_call_at_once_exactly_one_gets_through(town: Town) -> None:
    bob = town.waiting("bob")
    callers = {name: town.landline(name, "call", "bob") for name in ("alice", "carol")}
    for name, caller in callers.items():
        caller.send_line(f"this is {name}")
        caller.close_stdin()
    ended = wait_until(lambda: [n for n, c in callers.items() if not c.running], "one has to go")
    loser, winner = ended[0], next(name for name in callers if name != ended[0])
    bob.expect_line(f"this is {winner}")
    assert callers[loser].wait() == 3
    say_bye(bob, callers[winner])
    assert not any(loser in line for line in bob.stdout_lines)


@pytest.mark.parametrize("stranger", ["a key that nobody has seen", "a user who made no call"])
def test_a_stranger_who_knocks_is_refused_in_the_handshake(town: Town, stranger: str) -> None:
    where: list[str | Path] = [town.lan["bob"].address, town.home("bob")]
    if stranger == "a user who made no call":
        where.append(town.home("carol"))
    bob = town.waiting("bob")
    town.program("carol", KNOCK, *where).expect_line("^refused$")
    alice = town.landline("alice", "call", "bob")
    alice.send_line("was that carol?")
    bob.expect_line("was that carol")
    town.program("carol", KNOCK, *where).expect_line("^refused$")
    alice.send_line("that was carol")
    bob.expect_line("that was carol")
    say_bye(alice, bob)
