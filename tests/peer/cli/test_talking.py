"""Calling and waiting: who can be called, and with which status it ends."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from landline import Peer
from landline.cli import talking
from landline.cli.output import Output
from tests.peer.cli.household import Household


def test_waiting_needs_somebody_to_ask(household: Household) -> None:
    """Without a terminal every caller has to be welcome."""
    child = household.run("bob", "wait")
    assert child.wait() == 2
    [line] = child.stderr_lines
    assert "unless stdin and stdout are a terminal, nobody can be asked" in line
    assert "--accept" in line


def test_with_json_nobody_is_asked(household: Household) -> None:
    """Not even on a terminal; the line says what it is about."""
    status, shown = household.terminal("bob", "wait", "--json").finish()
    assert status == 2
    assert "landline: with --json nobody is asked whether to take a call; add --accept" in shown


def test_one_caller_after_the_other(household: Household) -> None:
    """Each gets the lines of stdin up to bye; the endpoint goes back in the end."""
    bob = household.wait("bob")
    for line in ("for alice", "bye", "for carol", "bye"):
        bob.send_line(line)
    for caller in ("alice", "carol"):
        child = household.start_with(caller, b"hello\n", "call", "bob")
        assert child.wait() == 0
        assert child.stdout_lines == [f"for {caller}"]
        bob.expect_error_line("waiting for callers")
    bob.signal(signal.SIGINT)
    assert bob.wait() == 0
    assert bob.stderr_lines[-1] == "no longer waiting for callers"
    assert household.run("alice", "who", "bob").stdout_lines == ["bob  offline"]


class _Hasty(Output):
    """Presses Ctrl-C while the line that names it is being shown."""

    def tell(self, event: str, line: str = "", /, **members: object) -> None:
        super().tell(event, line, **members)
        if event == "waiting":
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_as_soon_as_it_is_named(
    household: Household, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends the waiting like any later one."""
    with Peer(household.home("bob"), household.invite) as bob:
        talking.wait(bob, _Hasty(json=False), accept=True, once=False)
    waiting, stopped = capsys.readouterr().err.splitlines()
    assert waiting.startswith("waiting for callers as bob")
    assert stopped == "no longer waiting for callers"


def test_end_of_stdin_says_bye_to_every_caller(household: Household) -> None:
    """``wait --accept < /dev/null`` takes messages like a machine."""
    bob = household.wait("bob")
    bob.close_stdin()
    for caller in ("alice", "carol"):
        assert household.start_with(caller, b"hello\n", "call", "bob").wait() == 0
    bob.signal(signal.SIGTERM)
    assert bob.wait() == 0
    assert bob.stdout_lines == ["hello", "hello"]


def test_a_broken_conversation_does_not_end_the_waiting(household: Household) -> None:
    """The line says what happened; the next caller is welcome."""
    bob = household.wait("bob", "--redial", "0")
    alice = household.start("alice", "call", "bob")
    bob.expect_error_line("talking with alice")
    alice.kill()
    alice.wait()
    bob.expect_error_line("broke off")
    bob.expect_error_line("waiting for callers")
    bob.close_stdin()
    assert household.start_with("carol", b"hello\n", "call", "bob").wait() == 0


def test_broken_conversation_that_was_to_be_the_only_one(household: Household) -> None:
    """Status 7."""
    bob = household.wait("bob", "--once", "--redial", "0")
    alice = household.start("alice", "call", "bob")
    bob.expect_error_line("talking with alice")
    alice.kill()
    alice.wait()
    assert bob.wait() == 7


def test_caller_who_gave_up_does_not_count(household: Household) -> None:
    """``--once`` is one conversation, not one ring; the waiting goes on, and says so."""
    bob = household.terminal("bob", "wait", "--once")
    bob.until("waiting for callers")
    alice = household.start("alice", "call", "bob")
    bob.until(r"accept\? \[Y/n\]$")
    alice.signal(signal.SIGINT)
    assert alice.wait() == 130
    bob.until("alice has gone; you missed the call")
    again = household.start("alice", "call", "bob")
    bob.until(r"accept\? \[Y/n\]$")
    bob.sendline("y")
    again.expect_error_line("bob accepted")
    again.close_stdin()
    bob.until("alice said bye")
    bob.send("\x04")
    status, shown = bob.finish()
    assert status == 0
    assert shown.count("waiting for callers as bob") == 2
    assert again.wait() == 0


def test_unknown_and_offline(household: Household) -> None:
    """Status 3, and what to do about it."""
    for name, say in (("nobody", "landline who"), ("carol", "ask them to run: landline wait")):
        child = household.run("alice", "call", name)
        assert child.wait() == 3
        assert say in child.stderr_lines[-1]


def test_engaged(household: Household) -> None:
    """Status 3 for the second caller; the first talks on."""
    bob = household.wait("bob", "--once")
    alice = household.start("alice", "call", "bob")
    alice.expect_error_line("bob accepted")
    carol = household.run("carol", "call", "bob")
    assert carol.wait() == 3
    assert "engaged" in carol.stderr_lines[-1]
    for child in (alice, bob):
        child.close_stdin()
    assert (alice.wait(), bob.wait()) == (0, 0)


def test_calling_oneself(household: Household) -> None:
    """Status 2: it is a slip."""
    assert household.status("alice", "call", "alice") == 2


def test_declined(household: Household) -> None:
    """Status 6 for a program's no, as for a person's."""
    call = household.start
    with Peer(household.home("bob"), household.invite) as bob, bob.wait() as waiting:
        alice = call("alice", "call", "bob")
        next(iter(waiting)).decline()
        assert alice.wait() == 6
    assert "declined" in alice.stderr_lines[-1]


def test_port_that_is_taken(household: Household) -> None:
    """Another one does, and it is said."""
    with Peer(household.home("bob"), household.invite) as peer:
        account = peer.account()
    assert account is not None
    with socket.create_server(("", account.port)):
        bob = household.start("bob", "wait", "--accept", "--once")
        bob.expect_error_line(f"port {account.port} is taken")
        bob.expect_error_line("waiting for callers")
        bob.close_stdin()
        assert household.status("alice", "call", "bob") == 0
        assert bob.wait() == 0


def test_waiting_without_login(household: Household) -> None:
    """Status 4."""
    child = household.run("new", "wait", "--accept")
    assert child.wait() == 4
    assert "landline login NAME" in child.stderr_lines[-1]


def test_a_delivery_is_no_conversation(household: Household) -> None:
    """It is shown, gets no line of stdin, and does not count for --once."""
    bob = household.start("bob", "wait", "--accept", "--once", "--json")
    bob.expect_line('"waiting"')
    bob.send_line("for a caller")
    assert household.status("alice", "send", "bob", "left for bob") == 0
    bob.expect_line('"left for bob"')
    bob.expect_line('"ended"')
    bob.expect_line('"waiting"')
    carol = household.start("carol", "call", "bob")
    carol.expect_line("^for a caller$")
    for child in (carol, bob):
        child.close_stdin()
    assert (carol.wait(), bob.wait()) == (0, 0)
    told = [json.loads(line) for line in bob.stdout_lines]
    incoming = [each for each in told if each["event"] == "incoming"]
    assert incoming == [
        {"event": "incoming", "from": "alice", "delivery": True, "resumed": False},
        {"event": "incoming", "from": "carol", "delivery": False, "resumed": False},
    ]
    ended = [(each["said"], each["heard"]) for each in told if each["event"] == "ended"]
    assert ended == [(0, 1), (1, 0)]


def test_a_delivery_on_a_terminal(household: Household) -> None:
    """A line says when, who, and that it was left; what is typed meanwhile is no answer."""
    bob = household.terminal("bob", "wait", env={"NO_COLOR": "1"})
    bob.until("waiting for callers")
    assert household.status("alice", "send", "bob", "the \x1bprinter works") == 0
    bob.until(r"^\d\d:\d\d alice, left for you: the ␛printer works$")
    bob.until("^waiting for callers")
    carol = household.start("carol", "call", "bob")
    bob.until(r"accept\? \[Y/n\]$")
    bob.sendline("n")
    assert carol.wait() == 6
    bob.sendintr()
    assert bob.finish()[0] == 0


def test_a_delivery_that_breaks_off_is_no_error(household: Household) -> None:
    """What came is shown; the next one is welcome, also with --once."""
    bob = household.start("bob", "wait", "--accept", "--once", "--redial", "0")
    bob.expect_error_line("waiting for callers")
    alice = household.start_with("alice", b"%099d\n" % 0 * 100_000, "send", "bob", "-")
    bob.expect_line("^0+$")
    alice.kill()
    bob.expect_error_line("alice was cut off while leaving messages")
    bob.expect_error_line("waiting for callers")
    assert household.status("carol", "send", "bob", "hello") == 0
    bob.expect_line("^hello$")
    bob.signal(signal.SIGINT)
    assert bob.wait() == 0


def test_a_conversation_goes_on_after_its_program_died(household: Household) -> None:
    """Who waits again is told, and not asked."""
    first = household.wait("bob")
    alice = household.start("alice", "call", "bob")
    alice.send_line("before")
    first.expect_line("^before$")
    first.kill()
    alice.expect_error_line("^reconnecting…$")
    alice.send_line("meanwhile")
    bob = household.terminal("bob", "wait")
    bob.until("alice is back; the conversation goes on")
    alice.expect_error_line("^back$")
    bob.until("alice.*: meanwhile$")
    assert "accept?" not in "\n".join(bob.screen.rows)
    alice.close_stdin()
    bob.until("alice said bye")
    bob.send("\x04")
    assert alice.wait() == 0
    bob.until("both sides hold the same")
    bob.sendintr()
    assert bob.finish()[0] == 0
