"""``block`` and ``unblock``: whose calls and deliveries are refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.peer.cli.household import Household


def test_who_is_blocked_is_listed(household: Household) -> None:
    """By name; an object for each with --json."""
    for name in ("carol", "alice"):
        child = household.run("bob", "block", name)
        assert child.wait() == 0
        say = f"{name} is blocked: their calls and deliveries are refused"
        assert child.stderr_lines == [say]
    assert household.run("bob", "block").stdout_lines == ["alice", "carol"]
    shown = household.run("bob", "block", "--json").stdout_lines
    assert [json.loads(line) for line in shown] == [{"name": "alice"}, {"name": "carol"}]
    assert household.run("bob", "unblock", "Carol").stderr_lines == ["carol is no longer blocked"]
    assert household.run("bob", "block").stdout_lines == ["alice"]


def test_blocking_twice_and_unblocking_nobody(household: Household) -> None:
    """Both are done already."""
    for _ in range(2):
        [line] = household.run("bob", "block", "carol", "--json").stdout_lines
        assert json.loads(line) == {"event": "blocked", "name": "carol"}
    assert household.run("bob", "block").stdout_lines == ["carol"]
    assert household.status("bob", "unblock", "carol") == 0
    child = household.run("bob", "unblock", "carol")
    assert child.wait() == 0
    assert child.stderr_lines == ["carol was not blocked"]
    child = household.run("bob", "block")
    assert child.stdout_lines == []
    assert child.stderr_lines == ["nobody is blocked"]


def test_names_that_nobody_can_have_are_not_blocked(household: Household) -> None:
    """It is a slip of the pen."""
    assert household.status("bob", "block", "no such name") == 2


def test_nobody_blocks_themselves(household: Household) -> None:
    """It is a slip of the pen, too."""
    child = household.run("bob", "block", "Bob")
    assert child.wait() == 2
    assert child.stderr_lines == ["landline: you cannot block yourself; name somebody else"]
    assert household.run("bob", "block").stdout_lines == []


def test_a_stranger_blocks_nobody(household: Household) -> None:
    """Nobody is logged in here."""
    assert household.status("new", "block", "carol") == 4


def test_calls_and_deliveries_of_the_blocked_are_refused(household: Household) -> None:
    """Bob hears nothing of them, and others get through."""
    assert household.status("bob", "block", "carol") == 0
    bob = household.wait("bob")
    assert household.status("carol", "call", "bob") in {4, 6}
    child = household.run("carol", "send", "bob", "from carol")
    assert child.wait() == 0
    assert child.stderr_lines[0].startswith("kept for bob: ")
    assert household.status("alice", "send", "bob", "from alice") == 0
    bob.expect_line("^from alice$")
    assert bob.stop() == 0
    assert bob.stdout_lines == ["from alice"]
    assert not any("carol" in line for line in bob.stderr_lines)


def test_the_unblocked_get_through_again(household: Household) -> None:
    """What they kept meanwhile, too."""
    assert household.status("bob", "block", "carol") == 0
    assert household.status("carol", "send", "bob", "one") == 0
    assert household.status("bob", "unblock", "carol") == 0
    bob = household.wait("bob")
    assert household.run("carol", "send", "bob", "two").stderr_lines == [
        "2 messages delivered to bob"
    ]
    bob.expect_line("^one$")
    bob.expect_line("^two$")
