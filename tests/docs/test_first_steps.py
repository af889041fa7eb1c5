"""The first steps of README.md, one after the other, and the conversation in its picture.

Three machines are three home directories here. Every line is run as it stands there, on
a terminal, and what alice and bob see is what the picture shows.
"""

from __future__ import annotations

import configparser
import io
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

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\x07]")
# What is different each time: the hour, an address, a port.
_VARIES = re.compile(r"\b\d\d:\d\d(?= )|\d+\.\d+\.\d+\.\d+:\d+|(?<=port )\d+")


class Desk:
    """One machine, at which one command after the other is typed."""

    def __init__(self, scene: Scene, machine: str) -> None:
        self._scene = scene
        self._machine = machine
        self._seen = io.StringIO()
        self._terminals: list[Terminal] = []

    @property
    def terminal(self) -> Terminal:
        """The command that was typed last."""
        return self._terminals[-1]

    @property
    def seen(self) -> str:
        """All that has been on the screen, without colours and what moves the cursor."""
        return _VARIES.sub("*", _ESCAPES.sub("", self._seen.getvalue()))

    def type(self, line: str) -> Terminal:
        """Type a command."""
        settings = {**self._scene.settings(self._machine), "NO_COLOR": "1"}
        env = environment(self._scene.path, settings)
        argv = ["/bin/sh", "-c", f"exec {self._scene.adapted(line)}"]
        terminal = Terminal(argv, env, self._scene.path)
        terminal.logfile_read = self._seen
        self._terminals.append(terminal)
        return terminal

    def leave(self) -> None:
        for terminal in self._terminals:
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
        assert_shown(picture, desks[name].seen, name)
    history = desks["bob"].seen.rpartition("no longer waiting for callers")[2]
    assert [text for _, text in said()] == re.findall(r": (.*)$", history, re.MULTILINE)
    assert broker is not None and broker.stop() == 0


def give_password(terminal: Terminal) -> None:
    for question in ("New password", "The same again"):
        terminal.expect_plain(question)
        terminal.waitnoecho()
        terminal.sendline(PASSWORD)


def said() -> list[tuple[str, str]]:
    """Return who says what in the picture, as bob sees it."""
    return re.findall(r"^\d\d:\d\d (\w+): (.*?)(?: ✓)?$", BOB, re.MULTILINE)


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


def assert_shown(picture: str, seen: str, name: str) -> None:
    """Fail unless every line of a picture was on the screen, in its order."""
    place = 0
    for line in _VARIES.sub("*", picture).splitlines():
        if not line.startswith(f"{name}$"):
            assert line in seen[place:], f"{line!r} is not in\n{seen[place:]}"
            place = seen.index(line, place) + len(line)


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
