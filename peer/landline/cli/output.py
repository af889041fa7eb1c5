"""What a command tells: lines for people, or one JSON object for each event.

For people, messages go to stdout and everything else to stderr. With
``--json`` every event goes to stdout as an object with these members:

    event        what happened                                  further members
    waiting      you can be called                              name port
    incoming     somebody calls, delivers, or is back           from delivery resumed
    missed       they gave up, or it rang for too long          from
    calling      you call somebody                              name
    endpoint     the broker says where they are                 name host port
    connected    a connection stands, straight and encrypted    here there
    ringing      it rings at theirs                             name
    accepted     the conversation begins                        name
    declined     you declined a call                            from
    message      they said something                            from text number at
    delivered    all you said up to here is stored there        upto
    bye          they will say no more; you still may           from at
    ended        both have said bye                             said heard
    reconnecting the connection is lost, and sought again       name
    reconnected  it is back, and nothing is lost                name
    counted      what arrived in a chaos  sent delivered cuts lost doubled disordered
    unsent       a line of stdin cannot be a message            line say
    notice       something to know                              say
    stopped      you wait no more
    error        it ended otherwise                             say status

``register`` and ``login`` tell ``registered`` and ``logged-in`` (name port),
``logout`` tells ``logged-out``; ``send`` and ``outbox --flush`` tell ``sent``
(to delivered kept why), ``block`` and ``unblock`` tell ``blocked`` and
``unblocked`` (name), ``history`` tells ``exported`` (file count) and
``deleted`` (count); ``demo``, when it holds the conversation itself, ``said``
(text). JSON is ASCII, so that nothing in it acts on a terminal; times are
ISO 8601 in UTC. Nothing here asks or reads.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from landline.errors import LandlineError, RecordsDiffer
from landline.visible import one_line, visible

if TYPE_CHECKING:
    from landline.cli.stdin import Flaw
    from landline.events import Message

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DUMB = frozenset({"", "dumb", "unknown"})


def interactive() -> bool:
    """Whether somebody sits there: both stdin and stdout are a terminal that can move."""
    return os.environ.get("TERM", "") not in _DUMB and at_terminal()


def at_terminal() -> bool:
    """Whether both stdin and stdout are a terminal, be it one that cannot move."""
    return typed() and os.isatty(1)


def typed() -> bool:
    """Whether somebody types what is said: stdin is a terminal, whatever stdout is."""
    return os.isatty(0)


def coloured() -> bool:
    """Whether stdout takes colours: a terminal, and no NO_COLOR."""
    able = os.environ.get("TERM", "") not in _DUMB
    return able and os.isatty(1) and not os.environ.get("NO_COLOR")


def iso(at_ms: int) -> str:
    """Return milliseconds since 1970 as ISO 8601 in UTC."""
    at = (_EPOCH + timedelta(milliseconds=at_ms)).replace(tzinfo=None)
    return at.isoformat(timespec="milliseconds") + "Z"


def local(at_ms: int, form: str) -> str:
    """Return milliseconds since 1970 as local time; the speaker's clock may say anything."""
    try:
        return datetime.fromtimestamp(at_ms / 1000).strftime(form)  # noqa: DTZ006 - of this place
    except (OverflowError, ValueError, OSError):
        return (_EPOCH + timedelta(milliseconds=at_ms)).strftime(form)


def counted(number: int, what: str) -> str:
    """Return how many there are of something, in words: 1 line, 2 lines."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def loud(error: LandlineError) -> str:
    """Return the line that says an error on stderr: an alarming one alarms."""
    say = visible(str(error))
    if not isinstance(error, RecordsDiffer) or not os.isatty(2) or os.environ.get("NO_COLOR"):
        return say
    return click.style(say, fg="red", bold=True)


def encoded(members: dict[str, object]) -> str:
    """Return one JSON object on one line, of printable ASCII."""
    import json

    return json.dumps(members).replace("\x7f", "\\u007f")


class Output:
    """Where a command's words go. Any thread may tell."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._telling = threading.Lock()
        self._line: Callable[[str], None] = _to_stderr
        # Stdout can be a terminal although stdin is none.
        self._acts = os.isatty(1)
        self._read = at_terminal()

    def tell(self, event: str, line: str = "", /, **members: object) -> None:
        """Tell an event: ``line`` to people, if there is one, or its members as JSON."""
        if self.json:
            self.put({"event": event, **members})
            self.flush()
        elif line:
            self._line(line)

    def notice(self, say: str) -> None:
        """Tell something that the user may want to know."""
        # The thread that has something to say does not end because nobody reads.
        with suppress(OSError):
            self.tell("notice", visible(say), say=say)

    def unsent(self, flaw: "Flaw") -> None:
        """Tell that a line of stdin cannot be a message."""
        say = f"line {flaw.number} of stdin {flaw.say}; it was not sent"
        self.tell("unsent", f"landline: {say}", line=flaw.number, say=say)

    def messages(self, messages: "Sequence[Message]") -> None:
        """Put what the other said on stdout, a line each; ``flush`` follows.

        For somebody at a terminal the line says when, and who.
        """
        if self._read and not self.json:
            for message in messages:
                at, name = local(message.at_ms, "%H:%M"), visible(message.sender)
                sys.stdout.write(f"{at} {name}: {visible(message.text)}\n")
            return
        if not self.json:
            lines = [message.text for message in messages]
            text = "\n".join(lines)
            # Mostly there is no line's end within a line, and nothing to look for.
            if self._acts or text.count("\n") >= len(lines):
                text = "\n".join(map(visible if self._acts else one_line, lines))
            sys.stdout.buffer.write(text.encode() + b"\n")
            return
        for message in messages:
            self.put(
                {
                    "event": "message",
                    "from": message.sender,
                    "text": message.text,
                    "number": message.number,
                    "at": iso(message.at_ms),
                }
            )

    def put(self, members: dict[str, object]) -> None:
        """Put an object on stdout; ``flush`` follows."""
        with self._telling:
            sys.stdout.buffer.write(encoded(members).encode("ascii") + b"\n")

    def flush(self) -> None:
        """Let out what was put."""
        sys.stdout.flush()

    @contextmanager
    def through(self, show: Callable[[str], None]) -> Iterator[None]:
        """Send lines for people through ``show`` meanwhile: a screen is there."""
        before, self._line = self._line, show
        try:
            yield
        finally:
            self._line = before

    @contextmanager
    def errors_told(self) -> Iterator[None]:
        """Tell, as JSON, the error that ends a call; its line on stderr comes as always."""
        try:
            yield
        except LandlineError as error:
            if self.json:
                self.tell("error", say=str(error), status=error.exit_status)
            raise


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)
