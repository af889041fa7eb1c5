"""Where a password comes from, and that it is not shown."""

from __future__ import annotations

import pytest

from tests.peer.cli.household import PASSWORD, Household


def test_register_asks_twice_and_shows_nothing(household: Household) -> None:
    """What is typed is not echoed; a slip is found by the second prompt."""
    terminal = household.terminal("grace", "register", "grace")
    terminal.expect_plain("New password for grace: ")
    terminal.sendline("short")
    terminal.expect_plain("a password has 8 to 256 characters")
    terminal.expect_plain("New password for grace: ")
    terminal.sendline(PASSWORD)
    terminal.expect_plain("The same again: ")
    terminal.sendline("something else")
    seen = terminal.expect_plain("two different passwords")
    terminal.expect_plain("New password for grace: ")
    terminal.sendline(PASSWORD)
    seen += terminal.expect_plain("The same again: ")
    terminal.sendline(PASSWORD)
    status, rest = terminal.finish()
    assert status == 0
    assert "grace is registered" in rest
    assert PASSWORD not in seen + rest
    assert "short" not in seen + rest


def test_login_asks_once(household: Household) -> None:
    """The prompt names whose password it wants."""
    terminal = household.terminal("laptop", "login", "carol")
    terminal.expect_plain("Password of carol: ")
    terminal.sendline(PASSWORD)
    status, rest = terminal.finish()
    assert status == 0
    assert "carol is logged in" in rest
    assert PASSWORD not in rest


def test_ctrl_c_at_the_prompt(household: Household) -> None:
    """It ends the command, with one line."""
    terminal = household.terminal("laptop", "login", "carol")
    terminal.expect_plain("Password of carol: ")
    terminal.sendintr()
    status, rest = terminal.finish()
    assert status == 130
    assert "landline: interrupted" in rest


@pytest.mark.parametrize("command", ["register", "login"])
def test_no_password_is_asked_for_without_a_broker(household: Household, command: str) -> None:
    """What cannot be done is said at once."""
    terminal = household.terminal("new", command, "dave", env={"LANDLINE_BROKER": ""})
    status, shown = terminal.finish()
    assert status == 2
    assert "no broker is known yet" in shown
    assert "assword" not in shown


def test_no_password_and_nobody_to_ask(household: Household) -> None:
    """The line names all three ways."""
    child = household.run("laptop", "login", "carol")
    assert child.wait() == 2
    [line] = child.stderr_lines
    assert "--password-stdin" in line
    assert "LANDLINE_PASSWORD" in line


def test_no_password_is_an_argument(household: Household) -> None:
    """Others could see it there."""
    child = household.run("laptop", "login", "carol", "--password", PASSWORD)
    assert child.wait() == 2
    assert PASSWORD not in child.stderr_lines[0]


@pytest.mark.parametrize(
    ("stdin", "say"),
    [
        (b"", "there is no password on stdin"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"short\n", "8 to 256"),
    ],
)
def test_password_on_stdin_that_is_none(household: Household, stdin: bytes, say: str) -> None:
    """Each is said in one line."""
    child = household.start_with("laptop", stdin, "login", "carol", "--password-stdin")
    assert child.wait() == 2
    [line] = child.stderr_lines
    assert say in line
