"""The first steps of README.md, one after the other, and the conversation in its picture.

Three machines are three home directories here. Every line is run as it stands there, on
a terminal, and what alice and bob see is what the picture shows.
"""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.page import README
from tests.docs.scene import PASSWORD, Scene
from tests.peer.cli.household import Terminal
from tests.support.children import Child, Children, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEPS = README.section("## First steps on a network")
ALICE, BOB = (block.code for block in README.section("## What it looks like").blocks)

# What is different each time: the hour, an address, a port.
_VARIES = re.compile(r"\b\d\d:\d\d(?= )|\d+\.\d+\.\d+\.\d+:\d+|(?<=port )\d+")


class Desk:
    """One machine, at which one command after the other is typed."""

    def __init__(self, scene: Scene, machine: str) -> None:
        self._scene = scene
        self._machine = machine
        self._terminals: dict[str, Terminal] = {}

    @property
    def terminal(self) -> Terminal:
        """The command that was typed last."""
        return list(self._terminals.values())[-1]

    def shows(self, command: str) -> list[str]:
        """Return what stands on the screen below a command."""
        rows = [row.rstrip() for row in self._terminals[command].screen.rows]
        return [_VARIES.sub("*", row) for row in rows if row]

    def type(self, line: str) -> Terminal:
        """Type a command."""
        settings = {**self._scene.settings(self._machine), "NO_COLOR": "1", "TERM": "xterm"}
        env = environment(self._scene.path, settings)
        argv = ["/bin/sh", "-c", f"exec {self._scene.adapted(line)}"]
        terminal = Terminal(argv, env, self._scene.path)
        self._terminals[line] = terminal
        return terminal

    def leave(self) -> None:
        for terminal in self._terminals.values():
            terminal.close(force=True)


@pytest.fixture
def scene(children: Children, tmp_path: Path) -> Scene:
    return Scene(children, tmp_path)


@pytest.fixture
def desks(scene: Scene) -> Iterator[dict[str, Desk]]:
    """The desks of alice and bob."""
    desks = {name: Desk(scene, name) for name in ("alice", "bob")}
    try:
        yield desks
    finally:
        for desk in desks.values():
            desk.leave()


def steps() -> list[tuple[str, str]]:
    """Return each line of shell with the machine that the text before it names."""
    machine, found = "", []
    for block in STEPS.blocks:
        if named := re.search(r"\*\*\d\. On (?:the )?(\w+)'s machine\*\*", block.before):
            machine = named[1]
        if block.language == "sh":
            found += [(machine, line) for line in block.code.splitlines()]
    return found


def test_the_first_steps_lead_to_the_conversation_in_the_picture(
    scene: Scene, desks: dict[str, Desk]
) -> None:
    broker: Child | None = None
    (first, *others) = steps()
    assert first == ("", ". .venv/bin/activate")  # the tests' commands are on the PATH
    for machine, line in others:
        if machine == "broker":
            broker = scene.serve(line)
            continue
        terminal = desks[machine].type(line)
        match line.split()[1]:
            case "wait":
                terminal.expect_plain("waiting for callers")
            case "call":
                talk(desks["alice"].terminal, desks["bob"].terminal)
            case _:
                if "register" in line:
                    give_password(terminal)
                assert terminal.finish()[0] == 0
    for name, picture in (("alice", ALICE), ("bob", BOB)):
        for command, lines in commands(picture):
            assert desks[name].shows(command)[: len(lines)] == lines
    history = [line.partition("  ")[2] for line in desks["bob"].shows("landline history alice")]
    assert history == [f"{name}: {text}" for name, text in said()]
    assert broker is not None and broker.stop() == 0


def give_password(terminal: Terminal) -> None:
    for question in ("New password", "The same again"):
        terminal.expect_plain(question)
        terminal.waitnoecho()
        terminal.sendline(PASSWORD)


def said() -> list[tuple[str, str]]:
    """Return who says what in the picture, as bob sees it, with a mark when it is delivered."""
    return re.findall(r"^\d\d:\d\d (\w+): (.*)$", BOB, re.MULTILINE)


def talk(alice: Terminal, bob: Terminal) -> None:
    """Hold the conversation of the picture, up to the end of bob's waiting."""
    bob.expect_plain("[Y/n]")
    bob.sendline("y")
    for terminal in (alice, bob):
        terminal.expect_plain("bye or Ctrl-D ends")
    terminals = {"alice": alice, "bob": bob}
    for line in BOB.splitlines():
        if match := re.fullmatch(r"\d\d:\d\d (\w+): (.*?)(?: ✓)?", line):
            name, text = match.groups()
            terminals[name].send(f"{text}\r")
            for other, terminal in terminals.items():
                terminal.expect_exact(f"{name}: {text}{' ✓' if other == name else ''}")
        elif line.startswith("· alice said bye"):
            alice.send("bye\r")
            bob.expect_plain("alice said bye")
    bob.send("bye\r")
    status, _ = alice.finish()
    bob.expect_plain("the conversation is over")
    bob.expect_plain("waiting for callers")
    bob.sendintr()
    assert (status, bob.finish()[0]) == (0, 0)


def commands(picture: str) -> list[tuple[str, list[str]]]:
    """Return each command of a picture with what stands below it."""
    shown = re.split(r"^\w+\$ ?(.*)\n", _VARIES.sub("*", picture), flags=re.MULTILINE)
    pairs = zip(shown[1::2], shown[2::2], strict=True)
    return [(command, below.splitlines()) for command, below in pairs if command]


def test_the_service_starts_a_broker(scene: Scene, tmp_path: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    unit.read_string(STEPS.block("ini"))
    service = unit["Service"]
    program, _, arguments = service["ExecStart"].partition(" ")
    folder = f"/var/lib/{service['StateDirectory']}"
    assert (program, folder in arguments) == ("/opt/landline/bin/landline-broker", True)
    arguments = arguments.replace(folder, str(tmp_path / "state"))
    broker = scene.serve(f"landline-broker {arguments}")
    shown = scene.run("broker", "landline-broker", "invite", "--data-dir", str(tmp_path / "state"))
    assert shown.stdout_lines == [scene.invite]
    assert broker.stop() == 0
