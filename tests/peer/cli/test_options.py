"""The common options, the environment and config.toml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from landline.cli.main import landline
from landline.cli.options import Settings
from tests.peer.cli.household import Household

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = "landline://broker.invalid:7720/?key=Aj3U6FfGKvsSsa0kxIVZzBbvHBmdWFw5pKX2iyT7BWU"


def write(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)


def test_options_stand_before_or_after_the_command(household: Household) -> None:
    """``landline --json who`` is ``landline who --json``."""
    options = ["--home", str(household.home("alice")), "--json"]
    before = household.run("nobody", *options, "who", "alice")
    after = household.run("nobody", "who", "alice", *options)
    assert before.stdout_lines == after.stdout_lines
    assert json.loads(before.stdout_lines[0])["name"] == "alice"


def test_an_option_counts_more_than_the_environment(household: Household) -> None:
    """The broker of the environment is not asked."""
    env = {"LANDLINE_BROKER": NOWHERE}
    assert household.status("alice", "who", env=env) == 5
    assert household.status("alice", "who", "--broker", household.invite, env=env) == 0


def test_the_line_that_the_broker_prints_is_an_invite(household: Household) -> None:
    """Copied whole, it does."""
    assert household.status("alice", "--broker", f"ready {household.invite}", "who") == 0


def test_the_broker_is_remembered(household: Household) -> None:
    """After the first success it need not be named."""
    assert household.status("alice", "who", env={"LANDLINE_BROKER": ""}) == 0


def test_file_in_the_home(household: Household) -> None:
    """config.toml sets what no option and no variable does."""
    write(household.home("alice"), "json = true\n[wait]\nhost = 'no host'\n")
    child = household.run("alice", "who", "alice")
    assert json.loads(child.stdout_lines[0])["name"] == "alice"
    wait = household.run("alice", "wait", "--accept")
    assert wait.wait() == 2


def test_file_of_the_home_that_is_named_last(household: Household) -> None:
    """The home after the command decides which file is read."""
    write(household.home("alice"), "json = true\n")
    write(household.home("bob"), "[wait]\naccept = true\n")
    child = household.run("alice", "who", "bob", "--home", str(household.home("bob")))
    assert child.stdout_lines == ["bob  offline  (you)"]


@pytest.mark.parametrize(
    ("text", "say"),
    [
        ("json = ", "no TOML"),
        ("json = 'yes'", "json is a bool"),
        ("redial = true", "redial is a int"),
        ("redial = -1", "redial is from 0 to 86400 seconds"),
        ("[wait]\nredial = -1", "redial"),
        ("brokr = 'x'", "no setting 'brokr'"),
        ("[wait]\nacept = true", "no setting 'acept' in [wait]"),
        ("[wait]\naccept = 'perhaps'", "perhaps"),
    ],
)
def test_file_with_a_mistake(household: Household, text: str, say: str) -> None:
    """It is named, not passed over."""
    write(household.home("alice"), text)
    child = household.run("alice", "wait")
    assert child.wait() == 2
    [line] = child.stderr_lines
    assert say in line


@pytest.mark.parametrize(
    ("invite", "say"), [("", "no broker is known yet"), ("http://x", "this is no invite")]
)
def test_no_broker(household: Household, invite: str, say: str) -> None:
    """The line says where an invite comes from."""
    child = household.run("new", "who", env={"LANDLINE_BROKER": invite})
    assert child.wait() == 2
    [line] = child.stderr_lines
    assert say in line
    assert "landline-broker serve" in line


@pytest.mark.parametrize(
    ("arguments", "say"),
    [
        (["call", "bob", "--redial", "-1"], "--redial"),
        (["call", "bob", "--redial", "nan"], "--redial"),
        (["history", "--since", "soon"], "soon"),
        (["history", "--search", "*"], "a * stands only at the end of the last word"),
        (["history", "--search", "printer *"], "a * stands only at the end of the last word"),
        (["history", "--search", "print* fl*"], "a * stands only at the end of the last word"),
        (["history", "--force"], "--force goes with --export only"),
        (["history", "--before", "2d"], "--before goes with --delete only"),
        (["history", "--yes"], "--yes goes with --delete only"),
        (["history", "--delete", "--since", "2d"], "--delete goes with"),
        (["history", "--delete", "--export", "x"], "--delete goes with"),
        (["who", "--redial", "1"], "--redial"),
        (["history", "--since"], "(see: landline history --help)"),
        (["--home"], "(see: landline --help)"),
    ],
)
def test_options_that_cannot_be_meant(household: Household, arguments: list[str], say: str) -> None:
    """One line says which, and status 2."""
    child = household.run("alice", *arguments)
    assert child.wait() == 2
    [line] = child.stderr_lines
    assert say in line


def settings(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Settings:
    """Return what a command line, the environment and the file say, with nothing done."""
    found = Settings()
    for command in ("wait", "call"):
        monkeypatch.setattr(landline.commands[command], "callback", lambda **_: None)
    landline.main([*arguments], standalone_mode=False, obj=found)
    return found


def test_redial_and_no_history_are_set_in_three_ways(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command line counts most, then the environment, then a command's section, then all."""
    monkeypatch.setenv("LANDLINE_HOME", str(tmp_path))
    found = settings(monkeypatch, "wait")
    assert (found.redial_s, found.keep_history) == (None, True)
    write(tmp_path, "redial = 1\nno_history = true\n[call]\nredial = 2\n")
    found = settings(monkeypatch, "wait")
    assert (found.redial_s, found.keep_history) == (1, False)
    assert settings(monkeypatch, "call", "bob").redial_s == 2
    monkeypatch.setenv("LANDLINE_REDIAL", "3")
    assert settings(monkeypatch, "call", "bob").redial_s == 3
    assert settings(monkeypatch, "call", "bob", "--redial", "4").redial_s == 4
    assert settings(monkeypatch, "--redial", "5", "call", "bob").redial_s == 5
    (tmp_path / "config.toml").unlink()
    monkeypatch.setenv("LANDLINE_NO_HISTORY", "1")
    assert not settings(monkeypatch, "wait").keep_history


def test_no_variable_deletes_anything(household: Household) -> None:
    """What deletes or writes is asked for each time."""
    env = {
        "LANDLINE_HISTORY_DELETE": "1",
        "LANDLINE_HISTORY_YES": "1",
        "LANDLINE_HISTORY_EXPORT": "x",
    }
    child = household.run("alice", "history", env=env)
    assert child.wait() == 0
    assert child.stderr_lines == ["there is nothing here"]
