"""The demonstration: a broker, bob and alice on one machine, in a temporary directory.

The broker and bob are processes of their own; alice is this one. Whatever
ends it, both processes end and the directory goes.
"""

import os
import secrets
import select
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Self

from landline.cli import pipe, talking
from landline.cli.chaos import Cutter
from landline.cli.ending import Undisturbed
from landline.cli.output import Output, interactive
from landline.cli.stdin import Input
from landline.cli.storm import Storm
from landline.errors import LandlineError
from landline.events import Connected, Ended, EndpointReceived, Message, Progress, Ringing
from landline.peer import Peer
from landline.visible import visible

if TYPE_CHECKING:
    from landline.conversation import Conversation

STOP_S = 3.0
"""How long a process may take to end before it is made to."""
_SCRIPT = (
    "Hello, bob!",
    "Nobody between us can read this.",
    "That was all. Bye!",
)
_BOB = ("-m", "landline.cli.bob", "bob")
# bcrypt is slow on purpose; the passwords of a demonstration live for a minute.
_BROKER = (
    *("-m", "landline_broker", "serve", "--listen", "tcp://127.0.0.1:0"),
    *("--bcrypt-cost", "4", "--log-level", "error"),
)


class Demo:
    """One demonstration, from the empty directory to the empty directory.

    With ``chaos_s``, alice and bob talk for so many seconds through a link that
    is cut again and again.
    """

    def __init__(self, output: Output, chaos_s: float | None = None) -> None:
        self._output = output
        self._chaos_s = chaos_s

    def run(self) -> None:
        """Hold the demonstration.

        Raises:
            LandlineError: a part of it did not start, the conversation broke off,
                or something was lost in the chaos.
        """
        with (
            self._output.errors_told(),
            Undisturbed() as undisturbed,
            TemporaryDirectory(prefix="landline-demo-", ignore_cleanup_errors=True) as name,
        ):
            folder = Path(name)
            # Both start at once; bob gets the invite as soon as there is one.
            with (
                nullcontext() if self._chaos_s is None else Cutter() as cutter,
                _Child("the broker", folder, *_BROKER, "--data-dir", "broker") as broker,
                _Child(
                    "bob", folder, *_BOB, *(() if cutter is None else (str(cutter.port),))
                ) as bob,
                undisturbed.disturbed(),
            ):
                self._hold(folder, broker, bob, cutter)

    def _hold(self, folder: Path, broker: "_Child", bob: "_Child", cutter: Cutter | None) -> None:
        invite = broker.line().removeprefix("ready ")
        bob.write(invite)
        self._say(f"a broker runs on SQLite, all its files in {folder}")
        with Peer(folder / "alice", invite, notice=self._output.notice) as alice:
            self._log_in(alice)
            port = int(bob.line().removeprefix("waiting "))
            self._say("bob, a process of his own, has logged in too and waits for callers")
            if cutter is not None:
                cutter.target = port
                self._say("between them is a proxy that will cut the connection, again and again")
            self._output.tell("calling", "alice calls bob…", name="bob")
            with alice.call("bob", progress=self._progress) as talk:
                if cutter is None or self._chaos_s is None:
                    self._output.tell("accepted", _welcome(), name="bob")
                    self._talk(talk)
                else:
                    line = "bob accepted; both say numbers as fast as they get through"
                    self._output.tell("accepted", line, name="bob")
                    storm = Storm(cutter, bob.lines, bob.line, self._output)
                    storm.hold(talk, self._chaos_s)

    def _log_in(self, alice: Peer) -> None:
        password = secrets.token_urlsafe()
        port = alice.register("alice", password).port
        members = {"name": "alice", "port": port}
        line = f"the broker has registered alice and assigned port {port} to her"
        self._output.tell("registered", line, **members)
        alice.login("alice", password)
        line = "alice is logged in: the broker has checked her password and noted her device key"
        self._output.tell("logged-in", line, **members)

    def _progress(self, step: Progress) -> None:
        match step:
            case EndpointReceived():
                line = (
                    f"the broker says that bob is at {step.host}:{step.port};"
                    " the connection to the broker is closed"
                )
                where = {"host": step.host, "port": step.port}
                self._output.tell("endpoint", line, name=step.name, **where)
            case Connected():
                line = (
                    f"connected straight from {step.here} to {step.there},"
                    " encrypted from end to end with fresh keys"
                )
                self._output.tell("connected", line, here=step.here, there=step.there)
            case Ringing():
                talking.show_progress(step, self._output)

    def _talk(self, talk: "Conversation") -> None:
        if interactive() and not self._output.json:
            talking.converse(talk, Input(), self._output)
        elif already := os.read(0, 65_536):
            pipe.converse(talk, Input(already=already), self._output)
        else:
            self._recite(talk)

    def _recite(self, talk: "Conversation") -> None:
        """Hold a short conversation: stdin is empty."""
        for text in _SCRIPT:
            talk.send(text)
            self._output.tell("said", f"alice: {text}", text=text)
            self._listen(talk, Message)
        talk.bye()
        self._listen(talk, Ended)

    def _listen(self, talk: "Conversation", until: type) -> None:
        """Show what happens until something of a kind does."""
        for event in talk.events():
            pipe.tell([event], self._output)
            if isinstance(event, until):
                return

    def _say(self, line: str) -> None:
        self._output.tell("notice", line, say=line)


class _Child:
    """A process of the demonstration, which ends with its ``with`` block."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        self._name = name
        self._read = b""
        self._started = False
        # A file, not a pipe: nobody reads it unless the process fails.
        self._errors = (folder / f"{name}.log").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            # Ctrl-C on the terminal is for the one who demonstrates.
            start_new_session=True,
        )

    def line(self) -> str:
        """Return the next line that it prints.

        Raises:
            LandlineError: it has ended.
        """
        while b"\n" not in self._read:
            if not self._fill():
                ended = "has ended" if self._started else "did not start"
                raise LandlineError(f"{self._name} of the demonstration {ended}: {self._why()}")
        self._started = True
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def lines(self) -> list[str]:
        """Return the lines that it has printed meanwhile, without waiting."""
        stdout = self._pipe(self._process.stdout)
        while select.select([stdout], [], [], 0)[0] and self._fill():
            pass
        *lines, self._read = self._read.split(b"\n")
        return [line.decode() for line in lines]

    def write(self, line: str) -> None:
        """Give it a line to read."""
        stdin = self._pipe(self._process.stdin)
        stdin.write(line.encode() + b"\n")
        stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # A line that it was not there to read any more.
        with suppress(BrokenPipeError):
            self._pipe(self._process.stdin).close()
        self._pipe(self._process.stdout).close()
        self._errors.close()

    def _fill(self) -> bytes:
        """Read what there is, or wait for it; nothing means that it has ended."""
        octets = os.read(self._pipe(self._process.stdout).fileno(), 65_536)
        self._read += octets
        return octets

    def _why(self) -> str:
        self._process.wait(STOP_S)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        return visible(lines[-1]) if lines else "it said nothing"

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None
        return stream


def _environment() -> dict[str, str]:
    """Return our environment without the settings of the real peer and broker."""
    return {name: of for name, of in os.environ.items() if not name.startswith("LANDLINE_")}


def _welcome() -> str:
    if interactive():
        return "bob accepted; he repeats what you say. Type and press Enter, bye ends"
    return "bob accepted; he repeats what alice says"
