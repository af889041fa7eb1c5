"""What peers do when a cable is pulled: the broker's, a talker's, a waiting peer's."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline_protocol.invite import Invite
from landline_protocol.limits import HEARTBEAT_INTERVAL_MS, HEARTBEAT_TIMEOUT_MS
from tests.support.town import say_bye
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.town import Town

SHORT_LEASE = Path(__file__).with_name("short_lease.py")
LEASE = "3"
NOTICED = (HEARTBEAT_INTERVAL_MS + HEARTBEAT_TIMEOUT_MS) / 1000
"""Within how many seconds silence on a link is noticed."""


def test_a_conversation_does_not_need_the_broker(town: Town) -> None:
    alice, bob = town.conversation("alice", "bob")
    town.lan["broker"].unplug()
    for number in range(3):
        alice.send_line(f"question {number}")
        bob.expect_line(f"question {number}")
        bob.send_line(f"answer {number}")
        alice.expect_line(f"answer {number}")
    carol = town.landline("carol", "who")
    say_bye(alice, bob)
    assert carol.wait() == 5


@pytest.mark.slow
def test_a_conversation_goes_on_when_the_cable_is_back(town: Town) -> None:
    alice, bob = town.conversation("alice", "bob", "--json")
    alice.expect_line('"event": "delivered", "upto": 1')
    town.lan["bob"].unplug()
    for word in ("one", "two", "three"):
        alice.send_line(word)
    bob.send_line("four")
    alice.expect_line('"event": "reconnecting"')
    town.lan["bob"].plug_in()
    for word in ("one", "two", "three"):
        bob.expect_line(f"^{word}$")
    alice.expect_line('"text": "four"')
    say_bye(alice, bob)


@pytest.mark.slow
def test_when_a_cable_is_pulled_both_sides_say_what_is_not_confirmed(town: Town) -> None:
    town = replace(town, redial="0")
    alice, bob = town.conversation("alice", "bob", "--json")
    alice.expect_line('"event": "delivered", "upto": 1')
    town.lan["bob"].unplug()
    pulled = time.monotonic()
    for word in ("one", "two", "three"):
        alice.send_line(word)
    alice.expect_line('"event": "error".* 3 messages were not confirmed')
    bob.expect_error_line("all that you said was delivered")
    assert time.monotonic() - pulled < NOTICED + 4
    assert [alice.wait(), bob.wait()] == [7, 7]


def test_a_callee_to_whom_no_route_leads_cannot_be_reached(town: Town) -> None:
    town.waiting("bob")
    with town.lan["alice"].no_route_to(town.lan["bob"]):
        alice = town.landline("alice", "call", "bob")
        alice.expect_error_line("bob cannot be reached")
        assert alice.wait() == 3


@pytest.mark.slow
def test_a_waiting_peer_is_found_again_when_its_cable_is_back(town: Town, tmp_path: Path) -> None:
    serving = town.program("broker", SHORT_LEASE, tmp_path, "7721", LEASE)
    invite = Invite.parse(serving.expect_line(r"^ready (\S+)$")[1])
    town = replace(town, invite=invite, homes=tmp_path)
    town.enrol("alice", "bob")
    bob = town.waiting("bob")
    town.lan["bob"].unplug()
    wait_until(lambda: town.states("alice")["bob"] == "offline", "the lease has run out")
    bob.expect_error_line("still waiting")
    town.lan["bob"].plug_in()
    bob.expect_error_line("the broker is back")
    assert town.states("alice")["bob"] == "waiting"
    alice = town.landline("alice", "call", "bob")
    alice.send_line("found you")
    bob.expect_line("found you")
    say_bye(alice, bob)
