"""Runs Landline's own commands as child processes and reads what they print.

A `Child` is driven by lines: wait for one, send one. It is never found by name and
never left running: `stop` ends it however it is, and the `children` fixture calls it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Self

import pytest

from tests.support.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

StreamName = Literal["stdout", "stderr"]

DEADLINE = 15.0
STOP_DEADLINE = 10.0


def command(name: str) -> str:
    """Return the path of an installed command, as it lies beside this Python."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise FileNotFoundError(f"{path}: is Landline installed in this environment?")
    return str(path)


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment with `home` for home and no setting of Landline's.

    Nor the size of the terminal that the tests are run from: a child has its own, or none.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LANDLINE_", "XDG_")) and name not in {"LINES", "COLUMNS"}
    }
    return {**kept, "HOME": str(home), **(extra or {})}


class Lines:
    """The lines of one output stream: read by a thread of its own, kept for good."""

    def __init__(self, stream: IO[str], name: str) -> None:
        self._stream = stream
        self._name = name
        self._lines: list[str] = []
        self._cursor = 0
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=f"lines of {name}")
        self._reader.start()

    @property
    def all(self) -> list[str]:
        """Every line so far, those already expected too."""
        with self._changed:
            return list(self._lines)

    def expect(self, pattern: str, deadline: Deadline) -> re.Match[str]:
        """Return the match of the next line in which `pattern` is found.

        The lines up to it count as read. AssertionError at the deadline, or as soon
        as the stream has ended without it.
        """
        with self._changed:
            while True:
                for index in range(self._cursor, len(self._lines)):
                    if match := re.search(pattern, self._lines[index]):
                        self._cursor = index + 1
                        return match
                if self._ended:
                    raise AssertionError(f"{self._name} ended without {pattern!r}")
                if not self._changed.wait(deadline.left) and deadline.over:
                    raise AssertionError(
                        f"no {pattern!r} on {self._name} within {deadline.seconds} s"
                    )

    def join(self, deadline: Deadline) -> bool:
        """Wait until everything is read; False if the stream is still open at the deadline."""
        self._reader.join(deadline.left)
        return not self._reader.is_alive()

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Child:
    """A command that runs beside the test."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: IO[bytes] | None = None,
    ) -> None:
        self.argv = list(argv)
        self._process = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            encoding="utf-8",
            errors="backslashreplace",
            # A signal meant for the test run (Ctrl-C) is not the child's.
            start_new_session=True,
        )
        process = self._process
        assert process.stdout and process.stderr
        self._stdin = process.stdin
        label = f"{Path(self.argv[0]).name} ({process.pid})"
        self._streams = {
            "stdout": Lines(process.stdout, f"stdout of {label}"),
            "stderr": Lines(process.stderr, f"stderr of {label}"),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        status = "running" if self.running else f"status {self._process.returncode}"
        return f"<Child {self.pid} {' '.join(self.argv)!r}: {status}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def stdout_lines(self) -> list[str]:
        return self._streams["stdout"].all

    @property
    def stderr_lines(self) -> list[str]:
        return self._streams["stderr"].all

    def expect_line(
        self, pattern: str, deadline: float = DEADLINE, stream: StreamName = "stdout"
    ) -> re.Match[str]:
        """Wait for a line in which `pattern` is found (re.search) and return the match.

        Lines before it are passed over for good; each stream has its own place.
        `deadline` is in seconds from now. AssertionError, with all that was printed,
        when there is no such line in time or the child closes the stream.
        """
        try:
            return self._streams[stream].expect(pattern, Deadline(deadline))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.transcript()}") from None

    def expect_error_line(self, pattern: str, deadline: float = DEADLINE) -> re.Match[str]:
        """`expect_line` on stderr."""
        return self.expect_line(pattern, deadline, "stderr")

    def send_line(self, text: str) -> None:
        """Write one line to the child's stdin, which is the test's."""
        assert self._stdin is not None
        self._stdin.write(text + "\n")
        self._stdin.flush()

    def close_stdin(self) -> None:
        """Let the child read the end of its stdin."""
        with contextlib.suppress(BrokenPipeError):  # it ended and did not read the rest
            if self._stdin is not None:
                self._stdin.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGINT, SIGTERM, SIGSTOP, SIGCONT, SIGKILL."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the child without a chance to clean up."""
        self._process.kill()

    def wait(self, deadline: float = DEADLINE) -> int:
        """Wait for the end and for all output; return the exit status.

        AssertionError, with all that was printed, when it has not ended in time.
        """
        until = Deadline(deadline)
        try:
            status = self._process.wait(until.left)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline} s\n{self.transcript()}") from None
        self._finish_reading(Deadline(STOP_DEADLINE))
        return status

    def stop(self, deadline: float = STOP_DEADLINE) -> int:
        """End the child, asking first (SIGTERM), by force at the deadline; can be repeated."""
        if self.running:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # a stopped process reads no SIGTERM
        try:
            status = self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._finish_reading(Deadline(deadline))
        return status

    def transcript(self) -> str:
        """Return all that the child printed, for a message."""
        parts = [repr(self)]
        for name, lines in self._streams.items():
            parts += [f"--- {name}", *lines.all]
        return "\n".join(parts)

    def _finish_reading(self, deadline: Deadline) -> None:
        self.close_stdin()
        for name, lines in self._streams.items():
            if not lines.join(deadline):
                raise AssertionError(
                    f"{name} is still open after the end: a grandchild holds it\n"
                    + self.transcript()
                )


class Children:
    """Every child that one test starts; all of them end with it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._started: list[Child] = []

    def start(
        self, name: str, *arguments: str | Path, env: Mapping[str, str] | None = None
    ) -> Child:
        """Start an installed command; `env` is added to a clean environment."""
        return self.start_program([command(name), *map(str, arguments)], env=env)

    def start_program(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        stdin: Path | None = None,
    ) -> Child:
        """Start any program, in an environment whose home is the test's own folder.

        It reads `stdin`, or what the test sends it.
        """
        with contextlib.ExitStack() as stack:
            read = None if stdin is None else stack.enter_context(stdin.open("rb"))
            child = Child(argv, env=environment(self._home, env), cwd=self._home, stdin=read)
        self._started.append(child)
        return child

    def stop(self) -> None:
        """End those still running, the latest first."""
        with contextlib.ExitStack() as stack:
            for child in self._started:
                stack.callback(child.stop)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Start commands that end with the test; see `Children.start`."""
    home = tmp_path / "home-of-children"
    home.mkdir()
    started = Children(home)
    try:
        yield started
    finally:
        started.stop()
