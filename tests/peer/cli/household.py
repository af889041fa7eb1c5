"""A broker that stands for the session, and the homes of three users who are logged in.

Each test gets fresh copies of the homes it asks for: the device's key and login are the
same, so that what a test left at the broker is replaced by the next, and the history is
empty. Commands run as processes with pipes (`start`) or on a terminal (`terminal`).
"""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pexpect

from landline import Peer
from tests.peer.cli.screen import Screen
from tests.support.children import DEADLINE, Children, command, environment
from tests.support.proxy import Proxy
from tests.support.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.children import Child, StreamName

    Spawn = pexpect.spawn[str]
else:
    Spawn = pexpect.spawn

USERS = ("alice", "bob", "carol")
PASSWORD = "correct horse battery"
LANDLINE = command("landline")

WIDTH = 100


@dataclass(frozen=True)
class Street:
    """The broker's invite and the homes as they were just after login."""

    invite: str
    homes: Path

    def log_in(self) -> None:
        """Register everybody and log them in."""
        for user in USERS:
            with Peer(self.homes / user, self.invite) as peer:
                peer.register(user, PASSWORD)
                peer.login(user, PASSWORD)


class Terminal(Spawn):
    """A command on a terminal; every wait has a deadline."""

    def __init__(self, argv: Sequence[str], env: dict[str, str], cwd: Path) -> None:
        super().__init__(
            argv[0],
            list(argv[1:]),
            env=env,
            cwd=str(cwd),
            encoding="utf-8",
            timeout=DEADLINE,
            dimensions=(24, WIDTH),
        )
        self.delaybeforesend = None
        # No time to think it over: the program has ended when its terminal is closed.
        self.ptyproc.delayafterclose = 0.0  # type: ignore[attr-defined]  # not in the stubs
        self.screen = Screen(WIDTH)

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        """Read, and show on the screen what was read."""
        octets = str(super().read_nonblocking(size, timeout))
        self.screen.feed(octets)
        return octets

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until a row of the screen has the pattern (re.search)."""
        deadline = Deadline(DEADLINE)
        while True:
            for row in reversed(self.screen.rows):
                if match := re.search(pattern, row):
                    return match
            try:
                self.read_nonblocking(4096, deadline.left)
            except pexpect.ExceptionPexpect as error:
                shown = "\n".join(self.screen.rows)
                raise AssertionError(f"{error} without {pattern!r}:\n{shown}") from None

    def expect_plain(self, text: str) -> str:
        """Wait for a text as it stands, and return what came before it."""
        self.expect_exact(text)
        return str(self.before)

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the status and all that the screen has shown."""
        self.expect(pexpect.EOF)
        self.close()
        assert self.exitstatus is not None, f"ended by signal {self.signalstatus}"
        return self.exitstatus, "\n".join(self.screen.rows)


@dataclass
class Household:
    """What one test starts, and where."""

    street: Street
    path: Path
    children: Children
    terminals: list[Terminal] = field(default_factory=list)

    @property
    def invite(self) -> str:
        return self.street.invite

    def home(self, user: str) -> Path:
        """Return the home of a user who is logged in, or the empty home of a stranger."""
        home = self.path / user
        if not home.exists() and user in USERS:
            home.mkdir(0o700)
            for name in ("device.key", "state.json"):
                shutil.copy2(self.street.homes / user / name, home)
        return home

    def settings(self, user: str) -> dict[str, str]:
        return {"LANDLINE_HOME": str(self.home(user)), "LANDLINE_BROKER": self.invite}

    def start(self, user: str, *arguments: str, env: dict[str, str] | None = None) -> Child:
        """Start ``landline`` with pipes."""
        return self.children.start(
            "landline", *arguments, env={**self.settings(user), **(env or {})}
        )

    def start_with(self, user: str, stdin: bytes, *arguments: str) -> Child:
        """Start ``landline`` with these octets for its whole stdin."""
        path = self.path / "stdin"
        path.write_bytes(stdin)
        script = 'exec "$0" "$@" < ' + f"'{path}'"
        argv = ["/bin/sh", "-c", script, LANDLINE, *arguments]
        return self.children.start_program(argv, env=self.settings(user))

    def run(self, user: str, *arguments: str, env: dict[str, str] | None = None) -> Child:
        """Run ``landline`` to its end, with nothing on stdin."""
        child = self.start(user, *arguments, env=env)
        child.close_stdin()
        child.wait()
        return child

    def status(self, user: str, *arguments: str, env: dict[str, str] | None = None) -> int:
        """Run ``landline`` to its end and return its exit status."""
        return self.run(user, *arguments, env=env).wait()

    def wait(self, user: str, *arguments: str) -> Child:
        """Let a user wait for callers, with pipes, and return when they can be called."""
        child = self.start(user, "wait", "--accept", *arguments)
        child.expect_error_line("waiting for callers")
        return child

    @contextmanager
    def wait_behind_proxy(self, user: str, *arguments: str) -> Iterator[tuple[Child, Proxy]]:
        """Let a user wait for callers, who come through a proxy that can cut."""
        with Proxy() as proxy:
            child = self.start(user, "wait", "--accept", "--port", str(proxy.port), *arguments)
            stream: StreamName = "stdout" if "--json" in arguments else "stderr"
            port = child.expect_line(r"waiting.*\bport\W+(\d+)", stream=stream).group(1)
            proxy.target = ("127.0.0.1", int(port))
            yield child, proxy

    def terminal(self, user: str, *arguments: str, env: dict[str, str] | None = None) -> Terminal:
        """Start ``landline`` on a terminal."""
        added = {"TERM": "xterm-256color", **self.settings(user), **(env or {})}
        settings = environment(self.path, added)
        terminal = Terminal([LANDLINE, *arguments], settings, self.path)
        self.terminals.append(terminal)
        return terminal

    def stop(self) -> None:
        """End every terminal; the children have a fixture of their own."""
        for terminal in self.terminals:
            terminal.close(force=True)


def python(*arguments: str) -> list[str]:
    """Return the arguments that start this Python."""
    return [sys.executable, *arguments]
