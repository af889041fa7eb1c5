"""The question whether to take a call."""

from __future__ import annotations

import signal

from tests.peer.cli.household import Household, Terminal


def ring(household: Household) -> tuple[Terminal, Terminal]:
    """Let alice call bob, each on a terminal, until bob is asked."""
    bob = household.terminal("bob", "wait", "--once")
    bob.until("waiting for callers as bob on port")
    alice = household.terminal("alice", "call", "bob")
    alice.until("ringing…")
    bob.until(r"alice is calling — accept\? \[Y/n\]$")
    return alice, bob


def end(alice: Terminal, bob: Terminal) -> None:
    """Let both say bye."""
    alice.until("bob accepted")
    for terminal in (alice, bob):
        terminal.until("all delivered")
    for terminal in (alice, bob):
        terminal.send("\x04")
    assert (alice.finish()[0], bob.finish()[0]) == (0, 0)


def test_enter_is_yes(household: Household) -> None:
    """Accepting is one key."""
    alice, bob = ring(household)
    bob.sendline("")
    end(alice, bob)


def test_neither_yes_nor_no_is_asked_again(household: Household) -> None:
    """A slip takes no call and declines none."""
    alice, bob = ring(household)
    bob.sendline("perhaps")
    bob.until(r"y or n\?")
    bob.sendline("YES")
    end(alice, bob)


def test_what_was_typed_before_it_rang_is_no_answer(household: Household) -> None:
    """An Enter of a minute ago takes no call."""
    bob = household.terminal("bob", "wait", "--once")
    bob.until("waiting for callers")
    bob.send("\r\n")
    bob.expect_plain("\r\n\r\n")
    alice = household.terminal("alice", "call", "bob")
    bob.until(r"accept\? \[Y/n\]$")
    bob.sendline("n")
    assert alice.finish()[0] == 6
    bob.until("declined alice's call")


def test_no_declines(household: Household) -> None:
    """The caller sees it, status 6, and can try again."""
    alice, bob = ring(household)
    bob.sendline("n")
    status, rest = alice.finish()
    assert status == 6
    assert "landline: bob declined the call" in rest
    bob.until("declined alice's call")
    again = household.terminal("alice", "call", "bob")
    bob.until(r"accept\? \[Y/n\]$")
    bob.sendline("y")
    end(again, bob)
    assert sum(row.startswith("waiting for callers as bob") for row in bob.screen.rows) == 2


def test_end_of_input_declines(household: Household) -> None:
    """Ctrl-D is no."""
    alice, bob = ring(household)
    bob.sendeof()
    assert alice.finish()[0] == 6
    bob.until("declined alice's call")


def test_the_question_goes_with_the_caller(household: Household) -> None:
    """It is wiped away, and nobody is asked about a call that is over."""
    alice, bob = ring(household)
    alice.sendintr()
    assert alice.finish()[0] == 130
    bob.until("^alice has gone; you missed the call$")
    bob.kill(signal.SIGINT)
    status, rest = bob.finish()
    assert status == 0
    assert "accept?" not in rest
    assert "no longer waiting for callers" in rest


def test_ctrl_c_declines_and_ends(household: Household) -> None:
    """Whoever waits no more takes no call."""
    alice, bob = ring(household)
    bob.sendintr()
    status, rest = bob.finish()
    assert status == 0
    assert "no longer waiting for callers" in rest
    assert alice.finish()[0] in {3, 6}
