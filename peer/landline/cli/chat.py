"""A conversation on a terminal: one line to type in, everything else above it.

What arrives is printed above the line being typed, which stays as it is. What
you say stands there too, marked ✓ once the other side has stored it; until
then it waits just above the line. Everything foreign is made visible first.
"""

import asyncio
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import click
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.layout.containers import ConditionalContainer
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from landline.cli.ending import Terminated
from landline.cli.output import coloured, local
from landline.cli.pipe import BYE, happenings, summary
from landline.errors import InvalidInput, LandlineError
from landline.events import (
    Delivered,
    Ended,
    Event,
    Message,
    Reconnected,
    Reconnecting,
    SaidBye,
)
from landline.visible import visible

if TYPE_CHECKING:
    from landline.cli.output import Output
    from landline.conversation import Conversation

UNDELIVERED_MOST = 1_048_576
"""How many characters may be under way before the line is kept for a while."""
FAREWELL_S = 1.0
"""How long the other side may take to answer the bye of a program that is being ended."""
HOLD_S = 0.1
HELD_MOST = 1_000
"""How long, and how many, events stand back while something said here is under way.

A reply can overtake the word that what it answers has been stored; on the
screen it comes after it.
"""
_SHOWN_UNDELIVERED = 3
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class _Signalled(Exception):
    """A signal asks this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Said(NamedTuple):
    """Something said here that is not known to be stored over there."""

    number: int
    line: str
    size: int


def converse(talk: "Conversation", output: "Output") -> None:
    """Hold the conversation until both have said bye.

    Raises:
        ConversationBroken: it broke off, or the user hung up.
    """
    chat = Chat(talk)
    with output.through(chat.show_line):
        ended = chat.run()
    output.tell("ended", summary(ended))


class Chat:
    """The screen of one conversation, run by the main thread; another reads events."""

    def __init__(self, talk: "Conversation") -> None:
        self._talk = talk
        self._other = visible(talk.other)
        self._colour = coloured()
        self._under_way: deque[_Said] = deque()
        self._held: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._note = ""
        self._bye_asked = False
        self._said_bye = False
        self._heard_bye = False
        self._lost = False
        self._listener = threading.Thread(target=self._listen, name="landline-screen")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shown = threading.Event()
        self._buffer = Buffer(
            multiline=False,
            history=InMemoryHistory(),
            accept_handler=self._accept,
            on_text_changed=self._typed,
        )
        self._screen = _screen(
            self._buffer, self._rows_under_way, self._prompt, self._toolbar, self._keys()
        )

    def run(self) -> Ended:
        """Show the conversation until it ends."""
        try:
            with _handlers_kept():
                return self._screen.run(pre_run=self._begin)
        except BaseException as error:
            # Something else ends the program, or the conversation broke off:
            # who listens has to come to an end, too.
            self._talk.bye()
            self._loop = None
            self._shown.set()
            if self._listener.ident is not None:
                self._listener.join(FAREWELL_S)
            self._talk.hang_up()
            if isinstance(error, _Signalled):
                raise Terminated(128 + error.number) from None
            raise
        finally:
            if self._listener.ident is not None:
                self._listener.join()
            self._keep_unsent()

    def show_line(self, line: str) -> None:
        """Show a line of the program's own above the line being typed. Any thread may."""
        self._post(lambda: self._print([self._dim(f"· {line}")]))

    # -- the listening thread ---------------------------------------------------

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._loop.add_signal_handler(number, self._signalled, number)
        self._listener.start()

    def _listen(self) -> None:
        try:
            for lump in happenings(self._talk):
                self._shown.clear()
                self._post(partial(self._take, lump))
                # Who talks faster than the terminal prints has to wait.
                if self._loop is not None:
                    self._shown.wait()
        except LandlineError as error:
            self._post(partial(self._fail, error))
        except BaseException as error:
            self._post(partial(self._fail, error))
            raise

    def _post(self, work: Callable[[], object]) -> None:
        """Let the main thread do something, if the screen is still there."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._do, work)
            except RuntimeError:
                # It has just been closed.
                self._shown.set()

    def _do(self, work: Callable[[], object]) -> None:
        """Do something for another thread; what goes wrong ends the screen, and is raised."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the loop would ask to press Enter, and go on
            self._exit(error)

    def _exit(self, error: BaseException) -> None:
        if not self._screen.is_done:
            self._screen.exit(exception=error)

    def _signalled(self, number: int) -> None:
        # Raised anywhere in the loop, it would leave the terminal as it is.
        self._exit(_Signalled(number))

    # -- the main thread: what happens -------------------------------------------

    def _take(self, lump: list[Event]) -> None:
        try:
            self._show(lump)
        finally:
            self._shown.set()

    def _show(self, lump: list[Event]) -> None:
        delivered: list[str] = []
        for event in lump:
            if isinstance(event, Delivered):
                delivered += self._delivered(event.upto)
            else:
                self._held.append(event)
        self._print(delivered)
        over = any(isinstance(event, Ended) for event in lump)
        if over or not self._under_way or len(self._held) > HELD_MOST:
            self._show_held()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HOLD_S, self._do, self._show_held)

    def _show_held(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = self._held, []
        self._print([line for event in held for line in self._told(event)])

    def _told(self, event: Event) -> list[str]:
        """Take note of an event, and return what to print of it."""
        match event:
            case Message():
                return [self._heard(event)]
            case SaidBye():
                self._heard_bye = True
                return [self._dim(f"· {self._other} said bye{self._after_their_bye()}")]
            case Reconnecting():
                self._lost = True
                return [self._dim("· reconnecting…")]
            case Reconnected():
                self._lost = False
                return [self._dim("· back")]
            case Ended():
                self._screen.exit(result=event)
        return []

    def _fail(self, error: BaseException) -> None:
        self._show_held()
        self._exit(error)

    def _after_their_bye(self) -> str:
        return "" if self._said_bye else " — you may still answer; bye or Ctrl-D ends"

    def _delivered(self, upto: int) -> list[str]:
        lines = []
        while self._under_way and self._under_way[0].number <= upto:
            lines.append(f"{self._under_way.popleft().line} {self._style('✓', 'green')}")
        return lines

    def _print(self, lines: list[str]) -> None:
        """Print above the line being typed."""
        if lines:
            self._screen.renderer.erase()
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            sys.stdout.flush()
        self._screen.invalidate()

    # -- the main thread: what is typed --------------------------------------------

    def _accept(self, buffer: Buffer) -> bool:
        """Take a line; true keeps it in the prompt."""
        text = buffer.text
        if text.strip().lower() == BYE or (not text and self._bye_asked):
            self._bye()
            return False
        if not text or self._said_bye:
            return False
        if sum(said.size for said in self._under_way) > UNDELIVERED_MOST:
            self._note = f"{self._other} takes nothing just now; your line is kept, try again"
            return True
        try:
            self._say(text)
        except InvalidInput as error:
            self._note = f"{error}; shorten it"
            return True
        except LandlineError:
            # It has just ended, and the listener says why; or bye was said
            # before the program that holds it was started anew.
            self._said_bye = True
            return True
        return False

    def _say(self, text: str) -> None:
        number = self._talk.send(text)
        name = self._style(visible(self._talk.me), "green")
        line = f"{self._dim(_now())} {name}: {visible(text)}"
        self._under_way.append(_Said(number, line, len(text)))

    def _bye(self) -> None:
        self._bye_asked = False
        if not self._said_bye:
            self._said_bye = True
            self._talk.bye()

    def _interrupt(self) -> None:
        if self._said_bye:
            self._talk.hang_up()
        elif self._bye_asked:
            self._bye()
        else:
            # What was typed can be had again with the arrow up.
            self._buffer.reset(append_to_history=True)
            self._bye_asked = True

    def _typed(self, _: Buffer) -> None:
        self._note = ""
        self._bye_asked = False

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        # Else a key like "n" or the arrow up would bring back a line that was said.
        @keys.add("<any>", filter=Condition(lambda: self._said_bye), eager=True)
        def _(_: object) -> None:
            """Nothing is typed after bye."""

        @keys.add("c-c", eager=True)
        @keys.add("<sigint>", eager=True)
        def _(_: object) -> None:
            self._interrupt()

        @keys.add("c-z", eager=True)
        def _(event: KeyPressEvent) -> None:
            event.app.suspend_to_background()

        @keys.add("c-d", filter=Condition(lambda: not self._buffer.text))
        def _(_: object) -> None:
            self._bye()

        return keys

    # -- what stands where ------------------------------------------------------------

    def _heard(self, message: Message) -> str:
        name = self._style(visible(message.sender), "cyan")
        return f"{self._dim(local(message.at_ms, '%H:%M'))} {name}: {visible(message.text)}"

    def _rows_under_way(self) -> AnyFormattedText:
        hidden = len(self._under_way) - _SHOWN_UNDELIVERED
        rows = [f"  … {hidden} more on the way"] if hidden > 0 else []
        rows += [
            click.unstyle(said.line) + " …" for said in list(self._under_way)[-_SHOWN_UNDELIVERED:]
        ]
        return "\n".join(rows)

    def _prompt(self) -> AnyFormattedText:
        return "" if self._said_bye else "> "

    def _toolbar(self) -> AnyFormattedText:
        if self._note:
            return f" {self._note}"
        lost = ["reconnecting…"] if self._lost else []
        if self._said_bye:
            return self._bar([f"waiting for {self._other}'s bye", *lost], "Ctrl-C hangs up")
        if self._bye_asked:
            return " say bye? Ctrl-C again, or Enter on the empty line; anything else goes on"
        count = len(self._under_way)
        way = f"{count} on the way" if count else "all delivered ✓"
        bye = f"{self._other} said bye, you may still answer" if self._heard_bye else way
        return self._bar([f"talking with {self._other}", bye, *lost], "bye or Ctrl-D ends")

    def _bar(self, says: list[str], way_out: str) -> str:
        """Return one row; when it is narrow, the first things go, and the way out stays."""
        room = self._screen.output.get_size().columns - len(f"  · {way_out}")
        while len(says) > 1 and len(" · ".join(says)) > room:
            says = says[1:]
        said = " · ".join(says)
        if len(said) > room:
            said = said[: max(0, room - 1)] + "…"
        return f" {said} · {way_out}"

    def _keep_unsent(self) -> None:
        """Leave on the screen what has not been shown, and what did not get through."""
        for event in self._held:
            if isinstance(event, Message):
                click.echo(self._heard(event))
        for said in self._under_way:
            click.echo(f"{said.line} {self._style('✗ not known to be delivered', 'red')}")
        if self._buffer.text:
            click.echo(self._dim(f"· not sent: {visible(self._buffer.text)}"))

    def _style(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if self._colour else text

    def _dim(self, text: str) -> str:
        return click.style(text, dim=True) if self._colour else text


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Put the handlers of ending signals back afterwards: a loop takes them away."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now() -> str:
    return local(time.time_ns() // 1_000_000, "%H:%M")


def _screen(
    buffer: Buffer,
    above: Callable[[], AnyFormattedText],
    prompt: Callable[[], AnyFormattedText],
    toolbar: Callable[[], AnyFormattedText],
    keys: KeyBindings,
) -> Application[Ended]:
    typing = BufferControl(buffer, input_processors=[BeforeInput(prompt)])
    rows = HSplit(
        [
            ConditionalContainer(
                Window(
                    FormattedTextControl(above), dont_extend_height=True, style="fg:ansibrightblack"
                ),
                Condition(lambda: bool(above())),
            ),
            Window(typing, wrap_lines=True, dont_extend_height=True),
            Window(FormattedTextControl(toolbar), height=1, style="reverse"),
        ]
    )
    output = Vt100_Output.from_pty(sys.stdout)
    # The screen needs to know no position; not every terminal answers where its cursor is.
    output.enable_cpr = False
    return Application(
        layout=Layout(rows, focused_element=typing),
        key_bindings=keys,
        output=output,
        color_depth=None if coloured() else ColorDepth.DEPTH_1_BIT,
        erase_when_done=True,
    )
