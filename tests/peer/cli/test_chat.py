"""The conversation on a terminal."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from landline import Peer
from tests.peer.cli.household import LANDLINE, Household, Terminal
from tests.support.children import environment

if TYPE_CHECKING:
    from tests.support.children import Child

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\r\x08\u2028"
CTRL_C, CTRL_D, CTRL_Z, UP = "\x03", "\x04", "\x1a", "\x1b[A"


def call(household: Household, *options: str, **env: str) -> tuple[Terminal, Child]:
    """Let alice, on a terminal, call bob, who takes every call."""
    bob = household.wait("bob", "--once")
    alice = household.terminal("alice", "call", "bob", *options, env=env)
    alice.until("calling bob…")
    alice.until(r"connected to 127\.0\.0\.1:")
    alice.until("ringing…")
    alice.until("bob accepted")
    alice.until("all delivered")
    return alice, bob


def test_what_is_said_is_marked_when_it_is_delivered(household: Household) -> None:
    """Each message stands with its speaker; one's own gets a mark once it is stored over there."""
    alice, bob = call(household, NO_COLOR="1")
    alice.send("hello\r")
    bob.expect_line("^hello$")
    alice.until(r"^\d\d:\d\d alice: hello ✓$")
    bob.send_line("hello yourself")
    alice.until(r"^\d\d:\d\d bob: hello yourself$")
    alice.send("bye\r")
    alice.until("waiting for bob's bye")
    bob.close_stdin()
    status, rest = alice.finish()
    assert status == 0
    assert "· bob said bye\n" in rest
    assert "the conversation is over: 1 message sent, 1 received" in rest
    assert bob.wait() == 0


def test_the_line_being_typed_survives(household: Household) -> None:
    """A message that comes is printed above it, and then it is complete and sent."""
    alice, bob = call(household, NO_COLOR="1")
    alice.send("half of a li")
    alice.until("^> half of a li$")
    bob.send_line("something comes between")
    alice.until("bob: something comes between")
    alice.until("^> half of a li$")
    alice.send("ne\r")
    bob.expect_line("^half of a line$")
    alice.send(CTRL_D)
    bob.close_stdin()
    assert alice.finish()[0] == 0


def test_nothing_foreign_acts_on_the_terminal(household: Household) -> None:
    """Escape sequences and overrides are shown as marks."""
    with (
        Peer(household.home("bob"), household.invite) as peer,
        peer.wait() as waiting,
    ):
        alice = household.terminal("alice", "call", "bob")
        with next(iter(waiting)).accept() as bob:
            bob.send(HOSTILE)
            alice.until(r"␛\]0;owned␇␛\[2J<U\+202E>gnp\.exe␍␈<U\+2028>")
            alice.send(CTRL_D)
        assert alice.finish()[0] == 0


def test_colours_only_if_they_are_wanted(household: Household) -> None:
    """NO_COLOR leaves names plain."""
    alice, bob = call(household, NO_COLOR="1")
    bob.send_line("plain")
    assert "\x1b[36m" not in alice.expect_plain("bob: plain")
    alice.send(CTRL_D)
    bob.close_stdin()
    alice.finish()
    alice, bob = call(household)
    bob.send_line("coloured")
    alice.expect_plain("\x1b[36mbob\x1b[0m: coloured")
    alice.send(CTRL_D)
    bob.close_stdin()
    alice.finish()


def test_ctrl_c_asks_first(household: Household) -> None:
    """The second one says bye; anything typed in between takes the question back."""
    alice, bob = call(household)
    alice.send(CTRL_C)
    alice.until(r"say bye\?")
    alice.send("no\r")
    bob.expect_line("^no$")
    alice.send(CTRL_C)
    alice.until(r"say bye\?")
    alice.send(CTRL_C)
    bob.expect_error_line("alice said bye")
    alice.until("waiting for bob's bye · Ctrl-C hangs up")
    bob.close_stdin()
    assert alice.finish()[0] == 0


def test_ctrl_c_clears_the_line(household: Household) -> None:
    """So that Enter sends nothing that was being typed; it can be had again."""
    alice, bob = call(household, NO_COLOR="1")
    alice.send("a slip")
    alice.until("^> a slip$")
    alice.send(CTRL_C)
    alice.until(r"say bye\?")
    alice.until("^>$")
    alice.send(UP)
    alice.until("^> a slip$")
    alice.send(" mended\r")
    bob.expect_line("^a slip mended$")
    alice.send("another" + CTRL_C + "\r")
    bob.expect_error_line("alice said bye")
    bob.close_stdin()
    assert alice.finish()[0] == 0
    assert bob.stdout_lines == ["a slip mended"]


def test_enter_answers_the_question(household: Household) -> None:
    """Ctrl-C, Enter: bye."""
    alice, bob = call(household)
    alice.send("\r" + CTRL_C)
    alice.until(r"say bye\?")
    alice.send("\r")
    bob.expect_error_line("alice said bye")
    bob.close_stdin()
    assert alice.finish()[0] == 0
    assert bob.stdout_lines == []


def test_bye_is_typed_as_it_comes(household: Household) -> None:
    """On the terminal neither capitals nor blanks make it a message."""
    alice, bob = call(household)
    alice.send(" Bye \r")
    alice.until("waiting for bob's bye")
    bob.close_stdin()
    assert alice.finish()[0] == 0
    assert bob.stdout_lines == []


def test_after_bye_no_key_brings_a_line_back(household: Household) -> None:
    alice, bob = call(household, NO_COLOR="1")
    alice.send("said\r")
    bob.expect_line("^said$")
    alice.until("alice: said ✓")
    alice.send("bye\r")
    alice.until("waiting for bob's bye")
    alice.send(f"n{UP}N/x")
    bob.send_line("one more")
    alice.until("bob: one more")
    bob.close_stdin()
    status, rest = alice.finish()
    assert status == 0
    assert "not sent" not in rest
    assert bob.wait() == 0


def test_hanging_up(household: Household) -> None:
    """After one's own bye, Ctrl-C does not wait for theirs."""
    alice, bob = call(household)
    alice.send(CTRL_D)
    alice.until("waiting for bob's bye")
    alice.send(CTRL_C)
    status, rest = alice.finish()
    assert status == 7
    assert "you hung up" in rest
    assert bob.wait() == 7


def test_answering_after_their_bye(household: Household) -> None:
    """Who has heard bye may still speak."""
    alice, bob = call(household)
    bob.close_stdin()
    alice.until("bob said bye — you may still answer; bye or Ctrl-D ends")
    alice.send("one more thing\r")
    bob.expect_line("^one more thing$")
    alice.send("bye\r")
    assert alice.finish()[0] == 0
    assert bob.wait() == 0


def test_a_line_that_is_too_long_is_kept(household: Household) -> None:
    """It is said, and the text can still be shortened and sent."""
    alice, bob = call(household)
    alice.send("\x1b[200~" + "x" * 65_540 + "\x1b[201~")
    alice.send("\r")
    alice.until("65536 is the most")
    alice.send("\x7f" * 10 + "\r")
    bob.expect_line("^x{65530}$")
    alice.send(CTRL_D)
    bob.close_stdin()
    assert alice.finish()[0] == 0


def test_broken_off(household: Household) -> None:
    """Status 7; what was being typed is not lost from sight."""
    alice, bob = call(household, "--redial", "0")
    alice.send("not yet sent")
    alice.until("not yet sent")
    bob.kill()
    status, rest = alice.finish()
    assert status == 7
    assert "· not sent: not yet sent" in rest
    assert rest.splitlines()[-1].startswith("landline: the conversation broke off")


def test_a_cut_leaves_the_line_being_typed(household: Household) -> None:
    """Two quiet lines tell of it; what is said meanwhile waits, and arrives."""
    with household.wait_behind_proxy("bob", "--once") as (bob, proxy):
        alice = household.terminal("alice", "call", "bob", env={"NO_COLOR": "1"})
        alice.until("all delivered")
        alice.send("half of a li")
        alice.until("^> half of a li$")
        proxy.refuse()
        alice.until("^· reconnecting…$")
        alice.until("^> half of a li$")
        alice.send("ne\r")
        alice.until("alice: half of a line …$")
        alice.send("and more")
        proxy.admit()
        bob.expect_line("^half of a line$")
        alice.until("alice: half of a line ✓$")
        alice.until("^· back$")
        alice.until("^> and more$")
        alice.send("\r" + CTRL_D)
        bob.expect_line("^and more$")
        bob.close_stdin()
        status, rest = alice.finish()
        assert (status, bob.wait()) == (0, 0)
    assert rest.count("reconnecting") == rest.count("· back") == 1


def test_the_way_out_stays_where_there_is_little_room(household: Household) -> None:
    """In a narrow terminal the rest of the bar is shortened."""
    alice, bob = call(household, NO_COLOR="1")
    alice.setwinsize(24, 40)
    alice.until("^ all delivered ✓ · bye or Ctrl-D ends$")
    alice.setwinsize(24, 36)
    alice.until("^ all delivered… · bye or Ctrl-D ends$")
    alice.setwinsize(24, 40)
    bob.close_stdin()
    alice.until("^ bob said bye, you… · bye or Ctrl-D ends$")
    alice.send(CTRL_D)
    assert alice.finish()[0] == 0


def test_a_connection_that_is_lost_stands_in_the_bar(household: Household) -> None:
    """Also while one waits for their bye."""
    with household.wait_behind_proxy("bob", "--once") as (bob, proxy):
        alice = household.terminal("alice", "call", "bob")
        alice.until("all delivered")
        proxy.refuse()
        alice.until("^ talking with bob · all delivered ✓ · reconnecting… · bye or Ctrl-D ends$")
        alice.send(CTRL_D)
        alice.until("^ waiting for bob's bye · reconnecting… · Ctrl-C hangs up$")
        proxy.admit()
        alice.until("^ waiting for bob's bye · Ctrl-C hangs up$")
        bob.close_stdin()
        assert (alice.finish()[0], bob.wait()) == (0, 0)


def test_ctrl_z_suspends(household: Household) -> None:
    """The shell is there meanwhile; afterwards the line stands as it was."""
    bob = household.wait("bob", "--once")
    script = f"set -m; '{LANDLINE}' call bob; echo suspended; read _; fg"
    settings = environment(household.path, {"TERM": "xterm", **household.settings("alice")})
    alice = Terminal(["/bin/sh", "-c", script], settings, household.path)
    household.terminals.append(alice)
    alice.until("all delivered")
    alice.send("half of a li")
    alice.until("> half of a li$")
    alice.send(CTRL_Z)
    alice.until("^suspended$")
    alice.sendline("")
    alice.until("all delivered")
    alice.send("ne\r")
    bob.expect_line("^half of a line$")
    alice.send(CTRL_D)
    bob.close_stdin()
    assert (alice.finish()[0], bob.wait()) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal(household: Household, number: signal.Signals) -> None:
    """The terminal is left as it was, and the other hears bye."""
    alice, bob = call(household)
    alice.kill(number)
    bob.expect_error_line("alice said bye")
    bob.close_stdin()
    assert alice.finish()[0] == 128 + number


def test_a_terminal_that_cannot_move(household: Household) -> None:
    """TERM=dumb gets plain lines, which say who speaks and what there is to do."""
    bob = household.wait("bob", "--once")
    alice = household.terminal("alice", "call", "bob", env={"TERM": "dumb"})
    alice.until("^bob accepted; type and press Enter, bye ends$")
    alice.send("hello\n")
    bob.expect_line("^hello$")
    bob.send_line("hello \x1byourself")
    alice.until(r"^\d\d:\d\d bob: hello ␛yourself$")
    bob.close_stdin()
    alice.until("^bob said bye; you may still answer; bye or Ctrl-D ends$")
    alice.send(CTRL_D)
    status, rest = alice.finish()
    assert status == 0
    assert "waiting for" not in rest
