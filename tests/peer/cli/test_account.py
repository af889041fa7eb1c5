"""Registering, logging in and logging out."""

from __future__ import annotations

import json
import stat

from tests.peer.cli.household import PASSWORD, Household


def test_register_logs_in(household: Household) -> None:
    """A new user gets a port and is logged in at once."""
    child = household.start("dave", "register", "Dave", "--password-stdin")
    child.send_line(PASSWORD)
    assert child.wait() == 0
    child.expect_error_line(r"^dave is registered; your port is \d+$")
    child.expect_error_line("^logged in on this device$")
    who = household.run("dave", "who", "dave")
    assert who.stdout_lines == ["dave  offline  (you)"]


def test_home_is_private(household: Household) -> None:
    """The device's key and everything beside it are for its owner alone."""
    assert household.status("erin", "register", "erin", env={"LANDLINE_PASSWORD": PASSWORD}) == 0
    home = household.home("erin")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}


def test_register_tells_json(household: Household) -> None:
    """Both steps are events with name and port."""
    child = household.run(
        "frank", "register", "frank", "--json", env={"LANDLINE_PASSWORD": PASSWORD}
    )
    assert child.wait() == 0
    registered, logged_in = map(json.loads, child.stdout_lines)
    assert registered["event"] == "registered"
    assert registered["port"] >= 20_000
    assert logged_in == {**registered, "event": "logged-in"}


def test_name_that_is_taken(household: Household) -> None:
    """The other user keeps it; the line says what to do."""
    child = household.run("new", "register", "alice", env={"LANDLINE_PASSWORD": PASSWORD})
    assert child.wait() == 1
    [line] = child.stderr_lines
    assert "alice is taken" in line
    assert line.endswith("landline login alice")


def test_name_that_nobody_can_have(household: Household) -> None:
    """It is said before a password is asked for."""
    child = household.run("new", "register", "no spaces")
    assert child.wait() == 2
    assert child.stderr_lines[0].startswith("landline: a name has 2 to 32 characters")


def test_login_and_logout(household: Household) -> None:
    """After logout the device can do nothing until the next login."""
    new = {"LANDLINE_PASSWORD": PASSWORD}
    assert household.status("laptop", "login", "carol", env=new) == 0
    assert household.status("laptop", "who") == 0
    child = household.run("laptop", "logout")
    assert child.stderr_lines == ["logged out on this device"]
    who = household.run("laptop", "who")
    assert who.wait() == 4
    assert "landline login NAME" in who.stderr_lines[0]


def test_logout_when_nobody_is_logged_in(household: Household) -> None:
    """That is said, and no error; no broker need be known to say so."""
    for broker in (household.invite, ""):
        child = household.run("new", "logout", env={"LANDLINE_BROKER": broker})
        assert child.wait() == 0
        assert child.stderr_lines == ["nobody is logged in here"]


def test_login_with_a_wrong_password(household: Household) -> None:
    """It does not tell whether the name or the password is wrong."""
    wrong = {"LANDLINE_PASSWORD": "not the right one"}
    lines = set()
    for name in ("carol", "nobody"):
        child = household.run("laptop", "login", name, env=wrong)
        assert child.wait() == 4
        lines |= set(child.stderr_lines)
    assert lines == {"landline: the name or the password is wrong; check both"}
