"""The menu of bare ``landline`` on a terminal."""

from __future__ import annotations

from tests.peer.cli.household import PASSWORD, Household, Terminal

NO_BROKER = {"LANDLINE_BROKER": ""}


def choose(menu: Terminal, answer: str) -> str:
    """Answer the menu, and return what it showed before."""
    before = menu.expect_plain("your choice: ")
    menu.sendline(answer)
    return before


def test_a_strangers_first_steps(household: Household) -> None:
    """Invite, register, log out, log in, exit: every step shows what there is next."""
    menu = household.terminal("heidi", env=NO_BROKER)
    menu.expect_plain("no broker is known yet")
    menu.expect_plain("invite: ")
    menu.sendline("nonsense")
    menu.expect_plain("this is no invite")
    menu.expect_plain("invite: ")
    menu.sendline(f"ready {household.invite}")
    assert "you are not logged in" in choose(menu, "2")
    menu.expect_plain("a name for you: ")
    menu.sendline("heidi")
    for prompt in ("New password for heidi: ", "The same again: "):
        menu.expect_plain(prompt)
        menu.sendline(PASSWORD)
    shown = choose(menu, "o")
    assert "logged in on this device" in shown
    assert "you are heidi" in shown
    assert PASSWORD not in shown
    shown = choose(menu, "log in")
    assert "logged out" in shown
    menu.expect_plain("your name: ")
    menu.sendline("heidi")
    menu.expect_plain("Password of heidi: ")
    menu.sendline("not the right one")
    assert "landline: the name or the password is wrong" in choose(menu, "x")
    assert menu.finish()[0] == 0


def test_a_members_choices(household: Household) -> None:
    """Who, call, history; errors are a line, and the menu comes again."""
    bob = household.wait("bob", "--once")
    bob.close_stdin()
    menu = household.terminal("alice")
    shown = choose(menu, "7")
    assert "you are alice" in shown
    for words in (
        "wait for callers",
        "call somebody",
        "who is there",
        "history",
        "log out",
        "exit",
    ):
        assert words in shown
    menu.expect_plain("choose a number from 1 to 6")
    choose(menu, "u")
    assert "waiting" in choose(menu, "c")
    menu.expect_plain("whom: ")
    menu.sendline("carol")
    assert "landline: that user is not waiting" in choose(menu, "c")
    menu.expect_plain("whom: ")
    menu.sendline("no name!")
    assert "landline: a name has" in choose(menu, "2")
    menu.expect_plain("whom: ")
    menu.sendline("bob")
    menu.expect_plain("bob said bye")
    menu.send("so short\rbye\r")
    assert "the conversation is over" in choose(menu, "h")
    menu.expect_plain("with whom: ")
    menu.sendline("bob")
    assert "alice: so short" in choose(menu, "exit")
    assert menu.finish()[0] == 0
    assert bob.wait() == 0


def test_waiting_ends_in_the_menu(household: Household) -> None:
    """Ctrl-C leaves what one does, Ctrl-D the menu."""
    menu = household.terminal("bob")
    choose(menu, "w")
    menu.expect_plain("waiting for callers")
    menu.sendintr()
    menu.expect_plain("no longer waiting")
    choose(menu, "c")
    menu.expect_plain("whom: ")
    menu.sendintr()
    menu.expect_plain("your choice: ")
    menu.sendeof()
    assert menu.finish()[0] == 0


def test_broker_that_is_not_there(household: Household) -> None:
    """The menu says so, and shows what was known last."""
    nowhere = household.invite.replace("127.0.0.1", "broker.invalid")
    menu = household.terminal("alice", env={"LANDLINE_BROKER": nowhere})
    shown = choose(menu, "x")
    assert "landline: the broker's host broker.invalid cannot be found" in shown
    assert "you are alice" in shown
    assert menu.finish()[0] == 0
