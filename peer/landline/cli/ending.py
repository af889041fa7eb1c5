"""How the command ends: the one place where what went wrong becomes a line and a status.

Signals that ask for an end become exceptions here, so that every ``with``
block on the way out does its work. It never prints a traceback unless asked.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

import click

from landline.cli.output import loud
from landline.errors import LandlineError
from landline.visible import visible

INTERRUPTED = 128 + signal.SIGINT


class Interrupted(Exception):
    """Ctrl-C; ``KeyboardInterrupt`` as an exception that click leaves alone."""


class Terminated(SystemExit):
    """A signal asks this process to end. A ``SystemExit``, because event loops let it pass."""


class Undisturbed:
    """Keeps signals waiting, so that all that its ``with`` block makes is cleared away.

    Only within ``disturbed`` do they do what they did before; what came
    outside is made up for there, or after the block.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._waiting: list[int] = []
        self._open = False

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Let signals in meanwhile."""
        self._open = True
        try:
            self._make_up()
            yield
        finally:
            self._open = False

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            handler = signal.getsignal(number)
            # What is ignored, or ends the process at once, stays as it is.
            if callable(handler):
                self._before[number] = handler
                signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            # One that came may have made itself the last.
            if signal.getsignal(number) == self._take:
                signal.signal(number, handler)
        if error is None:
            self._make_up()

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._open:
            self._before[number](number, frame)
        else:
            self._waiting.append(number)

    def _make_up(self) -> None:
        while self._waiting:
            number = self._waiting.pop()
            self._before[number](number, None)


def status_of(command: Callable[[], object], debug: Callable[[], bool]) -> int:
    """Run a command and return the exit status; say on stderr what went wrong."""
    _prepare_streams()
    _prepare_signals()
    try:
        result = command()
        status = result if isinstance(result, int) else 0
        sys.stdout.flush()
    except click.UsageError as error:
        status = _said(visible(_usage(error)), error.exit_code)
    except click.ClickException as error:
        status = _said(visible(error.format_message()), error.exit_code)
    except (click.Abort, Interrupted, KeyboardInterrupt):
        status = _said("interrupted", INTERRUPTED)
    except Terminated as error:
        status = int(str(error.code))
    except SystemExit as error:
        # click's own way out when the reader of stdout has gone.
        status = error.code if isinstance(error.code, int) else 1
    except BrokenPipeError:
        status = 1
    except LandlineError as error:
        _trace(debug())
        status = _said(loud(error), error.exit_status)
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        _trace(debug())
        status = _said(visible(_unexpected(error, debug())), 1)
    _release_streams()
    return status


def _usage(error: click.UsageError) -> str:
    where = "landline" if error.ctx is None else error.ctx.command_path
    what = error.format_message().rstrip(".")
    return f"{what} (see: {where} --help)"


def _unexpected(error: Exception, debug: bool) -> str:
    if isinstance(error, OSError) and error.strerror:
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        what = f"unexpected {type(error).__name__}: {error}"
    return what if debug else f"{what}; to see where, run again with --debug"


def _said(line: str, status: int) -> int:
    try:
        click.echo(f"landline: {line}", err=True)
    except OSError:
        # Nobody reads stderr; the status still tells.
        return status
    return status


def _trace(debug: bool) -> None:
    if debug:
        traceback.print_exc()


def _prepare_streams() -> None:
    """Make sure that 0, 1 and 2 are ours, and that no character can stop an output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Closed: the next file or socket to be opened would take its place.
            os.open(os.devnull, os.O_RDWR)
    # Python has no stream for what it found closed.
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _prepare_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminate)


def _terminate(number: int, _: FrameType | None) -> None:
    # Once is enough: what cleans up is not to be disturbed.
    signal.signal(number, signal.SIG_IGN)
    raise Terminated(128 + number)


def _release_streams() -> None:
    """Keep the interpreter from complaining, at its end, that nobody reads."""
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
