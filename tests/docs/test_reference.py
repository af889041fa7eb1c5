"""The reference in README.md names what there is, and nothing else."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from pathlib import Path

import click
import pytest

import landline
import landline.cli
from landline import errors, events
from landline.cli import output, passwords
from landline.cli.ending import INTERRUPTED
from landline.conversation import LINGER_S
from landline_broker.settings import LISTEN
from landline_protocol import limits
from landline_sql.store import ACCOUNT_PENALTY, REGISTER_PENALTY
from tests.docs.page import README, ROOT, Rows, quoted
from tests.docs.programs import PROGRAMS, contexts, takes, usages, variables
from tests.support.children import Children

DAY_S = 24 * 3600


def reference(program: str) -> list[Rows]:
    return README.section(f"### `{program}`").tables


def members(rows: Rows) -> dict[str, set[str]]:
    return {row[0].strip("`"): set(quoted(row[-1])) for row in rows}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_is_named_with_its_arguments(program: str) -> None:
    named = {row[0].strip("`") for row in reference(program)[0]}
    there = usages(program)
    # Only `landline` does something when it is started bare.
    assert named == there - ({program} if program == "landline-broker" else set())


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_is_named_with_the_commands_that_take_it(program: str) -> None:
    named = {}
    for row in reference(program)[1]:
        for spelling in quoted(row[0]):
            named[spelling.split()[0]] = commands(program, row[1])
    assert named == takes(program)


def commands(program: str, cell: str) -> set[str]:
    """Return whom a cell means: all, or the program itself and the commands that it names."""
    if cell == "all":
        return {name for name, _ in contexts(program)}
    itself = {""} if cell.startswith("itself") else set()
    return itself | set(quoted(cell))


def test_the_broker_s_defaults_are_those_of_the_code() -> None:
    named = {quoted(row[0])[0].split()[0]: row[2] for row in reference("landline-broker")[1]}
    serve = PROGRAMS["landline-broker"].commands["serve"]
    for param in serve.params:
        if isinstance(param, click.Option) and isinstance(param.default, str | int):
            assert str(param.default) in named[param.opts[0]]


def test_every_exit_status_has_its_errors() -> None:
    (rows,) = README.section("### Exit status").tables
    named = {int(row[0]): set(quoted(row[2])) for row in rows if row[0].isdecimal()}
    there: dict[int, set[str]] = {0: set(), INTERRUPTED: set()}
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.LandlineError):
            there.setdefault(error.exit_status, set()).add(name)
    assert named == there


def test_every_event_is_named() -> None:
    (rows,) = README.section("### JSON").tables
    assert members(rows).keys() == told()


def told() -> set[str]:
    """Return the name of every event that the command tells."""
    found = set()
    for path in Path(landline.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                first = node.args[0]
                if name in {"tell", "_tell"} and isinstance(first, ast.Constant):
                    found.add(str(first.value))
            elif isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                found |= {
                    str(value.value)
                    for key, value in pairs
                    if isinstance(value, ast.Constant)
                    and isinstance(key, ast.Constant)
                    and key.value == "event"
                }
    # A line that people alone are told is no event.
    return found - {""}


def test_every_event_has_the_members_that_the_module_names() -> None:
    (rows,) = README.section("### JSON").tables
    named = members(rows)
    assert output.__doc__
    for line in output.__doc__.splitlines():
        match = re.fullmatch(r" {4}(\w+) +\S.*?(?: {2,}(\w[\w ]*))?", line)
        if match and match[1] != "event":
            assert named[match[1]] == set((match[2] or "").split()), match[1]


def test_every_environment_variable_exists() -> None:
    there = {passwords.VARIABLE, *(name for program in PROGRAMS for name in variables(program))}
    named = set(re.findall(r"\bLANDLINE_[A-Z_]+", README.text))
    assert named
    for name in named:
        assert name in there or (name.endswith("_") and any(n.startswith(name) for n in there))


def test_the_settings_file_is_taken_and_shows_every_setting(
    children: Children, tmp_path: Path
) -> None:
    text = README.section("### `config.toml`").block("toml")
    assert tomllib.loads(text).keys() == {
        "broker", "json", "debug", "redial", "no_history", "wait",
    }  # fmt: skip
    wait = PROGRAMS["landline"].commands["wait"]
    known = {param.name for param in wait.params} & {"accept", "once", "host"}
    assert tomllib.loads(text)["wait"].keys() == known
    (tmp_path / "config.toml").write_text(text)
    child = children.start("landline", "--home", tmp_path, "history", "bob")
    assert child.wait() == errors.NotLoggedIn.exit_status


def test_the_python_api_is_there() -> None:
    (rows,) = README.section("## From Python").tables
    cells = " ".join(cell for row in rows for cell in row)
    owners = {
        "peer": landline.Peer,
        "call": landline.IncomingCall,
        "talk": landline.Conversation,
    }
    for owner, name in re.findall(r"`(peer|call|talk)\.(\w+)", cells):
        kind = owners[owner]
        assert hasattr(kind, name) or f"self.{name} = " in inspect.getsource(kind)
    for name in landline.__all__:
        assert re.search(rf"`{name}\b", cells), name


def test_events_have_the_names_that_the_table_has() -> None:
    (rows,) = README.section("## From Python").tables
    (row,) = [row for row in rows if "talk.events()" in row[0]]
    assert set(quoted(row[1])) == {kind.__name__ for kind in events.Event.__args__}


STATEMENTS = [
    f"at most {limits.TEXT_MAX:,} octets of UTF-8",
    f"{limits.NAME_MIN} to {limits.NAME_MAX} characters",
    f"{limits.PASSWORD_MIN} to {limits.PASSWORD_MAX} characters",
    f"for {limits.RING_S:.0f} seconds",
    f"for up to {limits.LEASE_S:.0f} seconds more",
    f"within about {(limits.HEARTBEAT_INTERVAL_MS + limits.HEARTBEAT_TIMEOUT_MS) // 1000} seconds",
    f"{limits.PORT_FIRST} to {limits.PORT_LAST}",
    f"between {limits.PORT_FIRST} and {limits.PORT_LAST}",
    f"logged in on this machine for {limits.SESSION_S / DAY_S:.0f} days",
    f"for {limits.SESSION_S / DAY_S:.0f} days or until logout",
    f"or {limits.SESSION_S / DAY_S:.0f} days after the last login",
    f"{LISTEN.port}/tcp",
    f"up to {LINGER_S:.0f} seconds for theirs",
    f"for up to {limits.REDIAL_S:.0f} seconds (`--redial`)",
    f"lost: {limits.REDIAL_S:.0f} unless you say otherwise",
    f"{REGISTER_PENALTY.limit} names an hour",
    f"after {ACCOUNT_PENALTY.limit} failures",
    f"from {ACCOUNT_PENALTY.first:.0f} seconds up to {ACCOUNT_PENALTY.longest / 60:.0f} minutes",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_number_is_that_of_the_code(statement: str) -> None:
    assert statement in README.words


def test_the_python_that_is_needed_is_the_one_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = project["requires-python"].removeprefix(">=")
    assert f"Python {needed} or newer" in README.words
