"""The command's surface: help, version, completion, and what each of them imports."""

from __future__ import annotations

import pytest

from tests.peer.cli.household import LANDLINE, Household, python
from tests.support.children import Child, Children

COMMANDS = (
    "register", "login", "logout", "who", "wait", "call", "send", "outbox", "history", "block",
    "unblock", "demo", "completion",
)  # fmt: skip
WIDTH = 79
HEAVY = {"prompt_toolkit", "rich", "sqlalchemy", "alembic"}


def imported(child: Child) -> set[str]:
    """Return the top-level names that ``-X importtime`` has told of."""
    lines = [line for line in child.stderr_lines if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_help_names_every_command(children: Children) -> None:
    """What can be done stands in the help."""
    child = children.start("landline", "--help")
    assert child.wait() == 0
    shown = "\n".join(child.stdout_lines)
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    assert "Exit status:" in shown
    assert "..." not in shown.partition("Commands:")[2]
    assert max(map(len, child.stdout_lines)) <= WIDTH


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(children: Children, name: str) -> None:
    """Each has a help of its own, as wide as a terminal."""
    child = children.start("landline", name, "-h")
    assert child.wait() == 0
    assert child.stdout_lines[0].startswith(f"Usage: landline {name}")
    assert max(map(len, child.stdout_lines)) <= WIDTH


def test_version(children: Children) -> None:
    """The version is that of the package."""
    child = children.start("landline", "--version")
    assert child.wait() == 0
    assert child.stdout_lines == ["landline, version 0.1.0"]


def test_bare_command_without_a_terminal_shows_how_it_is_used(children: Children) -> None:
    """There is nobody for a menu."""
    child = children.start("landline")
    assert child.wait() == 2
    assert child.stderr_lines[0].startswith("Usage: landline")
    assert child.stdout_lines == []


def test_module_is_the_command(children: Children) -> None:
    """``python -m landline`` does the same."""
    child = children.start_program(python("-m", "landline", "--version"))
    assert child.wait() == 0
    assert child.stdout_lines == ["landline, version 0.1.0"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(children: Children, shell: str) -> None:
    """The script asks this command what could come next."""
    child = children.start("landline", "completion", shell)
    assert child.wait() == 0
    assert any("_LANDLINE_COMPLETE" in line for line in child.stdout_lines)


def test_completion_knows_the_commands(children: Children) -> None:
    """``landline wa<TAB>`` is ``landline wait``."""
    words = {"_LANDLINE_COMPLETE": "bash_complete", "COMP_WORDS": "landline wa", "COMP_CWORD": "1"}
    child = children.start("landline", env=words)
    assert child.wait() == 0
    assert child.stdout_lines == ["plain,wait"]


def test_completion_knows_the_options(children: Children) -> None:
    """Those of a command."""
    words = {
        "_LANDLINE_COMPLETE": "bash_complete",
        "COMP_WORDS": "landline history --se",
        "COMP_CWORD": "2",
    }
    child = children.start("landline", env=words)
    assert child.wait() == 0
    assert child.stdout_lines == ["plain,--search"]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["who", "--help"], ["history", "--help"], ["--version"]]
)
def test_help_imports_no_socket_library(children: Children, arguments: list[str]) -> None:
    """Help costs click and nothing else."""
    child = children.start_program(python("-X", "importtime", LANDLINE, *arguments))
    assert child.wait() == 0
    assert "click" in imported(child)
    assert not imported(child) & (HEAVY | {"zmq", "msgspec"})


NETWORK = {"zmq"}


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["who"], NETWORK),
        (["send", "bob", "hello"], NETWORK),
        (["history", "bob"], set()),
        (["outbox"], set()),
        (["block", "carol"], set()),
    ],
)
def test_a_command_imports_what_it_needs(
    household: Household, arguments: list[str], needed: set[str]
) -> None:
    """A listing costs no screen library, and what is kept here no network's."""
    argv = python("-X", "importtime", LANDLINE, *arguments)
    child = household.children.start_program(argv, env=household.settings("alice"))
    assert child.wait() == 0
    assert imported(child) & (HEAVY | NETWORK) == needed
