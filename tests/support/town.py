"""Landline on a network: a broker and the peers of three users, a node each.

The broker is the real `landline-broker serve` on its default address, the peers are
the real `landline`, registered and logged in. They stand for a whole file of tests;
what a test starts ends with it, and every cable is put back.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from landline_protocol.invite import Invite
from tests.support.children import Children, command
from tests.support.lan import FAMILIES, Lan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.children import Child
    from tests.support.lan import Family

USERS = ("alice", "bob", "carol")
PASSWORD = "correct horse battery"
# A check of a password as quick as bcrypt allows: passwords are not what is tested here.
BROKER_OPTIONS = ("--bcrypt-cost", "4")


@dataclass(frozen=True)
class Town:
    """The nodes are named after who is there: broker, alice, bob, carol."""

    lan: Lan
    invite: Invite
    homes: Path
    children: Children
    redial: str = ""
    """How many seconds a lost connection is sought, if not for the usual time."""

    def home(self, user: str, at: str = "") -> Path:
        """Return the home of the user's peer on a node (default: the user's own)."""
        return self.homes / f"{user}-at-{at or user}"

    def landline(
        self,
        user: str,
        *arguments: str,
        at: str = "",
        invite: Invite | None = None,
        password: str = PASSWORD,
    ) -> Child:
        """Start `landline` as this user on a node (default: the user's own)."""
        settings = {
            "LANDLINE_HOME": str(self.home(user, at)),
            "LANDLINE_BROKER": str(invite or self.invite),
            "LANDLINE_PASSWORD": password,
            **({"LANDLINE_REDIAL": self.redial} if self.redial else {}),
        }
        argv = self.lan[at or user].argv(command("landline"), *arguments)
        return self.children.start_program(argv, env=settings)

    def run(
        self,
        user: str,
        *arguments: str,
        at: str = "",
        invite: Invite | None = None,
        password: str = PASSWORD,
    ) -> Child:
        """Run `landline` to its end, which is status 0."""
        child = self.landline(user, *arguments, at=at, invite=invite, password=password)
        child.close_stdin()
        assert child.wait() == 0, child.transcript()
        return child

    def program(self, node: str, path: Path, *arguments: str | Path) -> Child:
        """Start a Python program of the tests on a node."""
        argv = self.lan[node].argv(sys.executable, str(path), *map(str, arguments))
        return self.children.start_program(argv)

    def program_at_switch(self, path: Path, *arguments: str | Path) -> Child:
        """Start a Python program of the tests where every packet comes by."""
        argv = self.lan.argv_at_switch(sys.executable, str(path), *map(str, arguments))
        return self.children.start_program(argv)

    def enrol(self, *users: str) -> None:
        """Register users and log them in, each on the user's own node."""
        for step in ("register", "login"):
            started = [self.landline(user, step, user) for user in users]
            for child in started:
                child.close_stdin()
                assert child.wait() == 0, child.transcript()

    def states(self, user: str) -> dict[str, str]:
        """Return what each user does, as the broker tells this one."""
        child = self.run(user, "who", "--json")
        return {entry["name"]: entry["state"] for entry in map(json.loads, child.stdout_lines)}

    def waiting(self, user: str, at: str = "", invite: Invite | None = None) -> Child:
        """Start to wait for one caller, whom the peer accepts; return when it waits."""
        child = self.landline(user, "wait", "--accept", "--once", at=at, invite=invite)
        child.expect_error_line("waiting")
        return child

    def conversation(self, caller: str, callee: str, *options: str) -> tuple[Child, Child]:
        """Let two talk; return both when a line has crossed. The options are the caller's."""
        waiting = self.waiting(callee)
        calling = self.landline(caller, "call", *options, callee)
        calling.send_line("are you there?")
        waiting.expect_line("are you there[?]")
        return calling, waiting


@pytest.fixture(scope="module", params=FAMILIES)
def founded_town(
    request: pytest.FixtureRequest, lan_possible: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """A town that stands for a whole file of tests; ask for `town`."""
    family: Family = request.param
    homes = tmp_path_factory.mktemp(f"town-{family}")
    children = Children(homes)
    with Lan(family, ["broker", *USERS]) as lan:
        try:
            broker = start_broker(children, lan, homes)
            town = Town(lan, broker, homes, children)
            town.enrol(*USERS)
            yield town
        finally:
            children.stop()


@pytest.fixture
def town(founded_town: Town, children: Children) -> Iterator[Town]:
    """A broker and three users on a network, IPv4 and IPv6 in turn."""
    lan = founded_town.lan
    try:
        yield Town(lan, founded_town.invite, founded_town.homes, children)
    finally:
        lan.plug_in()


def say_bye(*talking: Child) -> None:
    """Let each say bye and hear the other's: all end with status 0."""
    for child in talking:
        child.close_stdin()
    statuses = [child.wait() for child in talking]
    assert not any(statuses), "\n".join(child.transcript() for child in talking)


def start_broker(children: Children, lan: Lan, folder: Path, *options: str) -> Invite:
    """Serve on the broker's node; return the invite that was printed."""
    serve = (command("landline-broker"), "serve", "--data-dir", str(folder / "broker"))
    child = children.start_program(lan["broker"].argv(*serve, *BROKER_OPTIONS, *options))
    return Invite.parse(child.expect_line(r"^ready (\S+)$")[1])
