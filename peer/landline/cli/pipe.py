"""A conversation without a terminal: stdin is what you say, stdout what they say.

Each line of stdin is a message; a line ``bye``, or the end of stdin, says bye.
A line that cannot be a message (not UTF-8, longer than 64 KiB) is named on
stderr and left out; all others are sent, and the exit status is 2 in the end.
The conversation's end ends it, whether or not more could be read from stdin.
Who does not read stdout keeps the other side from saying more. Somebody who
types, because only stdout is no terminal, is told what there is still to do.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from landline.cli.bell import Bell
from landline.cli.output import Output, counted, iso, typed
from landline.cli.stdin import Flaw
from landline.errors import ConversationBroken, InvalidInput
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
    from landline.cli.stdin import Input, Lines
    from landline.conversation import Conversation

BYE = "bye"
FAREWELL_S = 1.0
"""How long what was read from stdin may take to be said when the program is being ended."""


def converse(talk: "Conversation", said: "Input", output: Output) -> None:
    """Hold the conversation until both have said bye.

    Raises:
        ConversationBroken: it broke off.
        RecordsDiffer: it is over, and the two sides do not hold the same.
        InvalidInput: it is over, but some lines of stdin could not be sent.
    """
    flawed = said.flawed
    hints = Hints(talk.other, output)
    with Bell() as bell:
        speaker = Speaker(talk, said, output, bell, hints)
        speaker.start()
        try:
            for events in happenings(talk):
                tell(events, output, hints)
        except BaseException:
            bell.ring()
            speaker.join(FAREWELL_S)
            if speaker.is_alive():
                # It waits for room that the other side does not make.
                talk.hang_up()
            raise
        finally:
            bell.ring()
            speaker.join()
        if speaker.error is not None:
            raise speaker.error
    if said.flawed > flawed:
        raise InvalidInput(
            f"{counted(said.flawed - flawed, 'line')} of stdin could not be sent, as said"
            " above; everything else was sent"
        )


def happenings(talk: "Conversation") -> Iterator[list[Event]]:
    """Yield what happens, as much at once as there is, until both have said bye.

    Raises: as ``Conversation.events``, after all that came before.
    """
    while events := talk.next_events():
        yield events
        if isinstance(events[-1], Ended):
            return
    raise ConversationBroken("the conversation is over")


class Hints:
    """What somebody who types is told about the byes. Any thread may ask."""

    def __init__(self, other: str, output: Output) -> None:
        self._other = visible(other)
        self._output = output
        self._wanted = typed() and not output.json
        self._said = self._heard = False

    def heard_bye(self) -> str:
        """Note that they have said bye, and return what the line that says so ends with."""
        self._heard = True
        may_answer = self._wanted and not self._said
        return "; you may still answer; bye or Ctrl-D ends" if may_answer else ""

    def said_bye(self) -> None:
        """Note that bye is said here, and tell for what one waits now."""
        self._said = True
        if self._wanted and not self._heard:
            self._output.tell("", f"waiting for {self._other}'s bye")


class Speaker(threading.Thread):
    """Says what stdin says, until bye or until the bell rings."""

    def __init__(
        self, talk: "Conversation", said: "Input", output: Output, bell: Bell, hints: Hints
    ) -> None:
        super().__init__(name="landline-stdin")
        self._talk = talk
        self._input = said
        self._output = output
        self._bell = bell
        self._hints = hints
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._speak()
        except ConversationBroken:
            return  # the other thread learns why
        except Exception as error:  # noqa: BLE001 - the other thread raises it
            self.error = error
            self._talk.hang_up()

    def _speak(self) -> None:
        said_bye = False
        while not said_bye and (lines := self._input.next(self._bell)) is not None:
            if isinstance(lines, Flaw):
                self._output.unsent(lines)
            else:
                said_bye = self._say(lines)
        if not self._bell.rung:
            self._hints.said_bye()
            self._talk.bye()

    def _say(self, lines: "Lines") -> bool:
        """Say lines, and return whether one of them was bye; what follows it is kept."""
        said_bye = BYE in lines
        end = lines.index(BYE) if said_bye else len(lines)
        try:
            if end:
                self._talk.send_all(lines[:end])
        except ConversationBroken:
            self._input.put_back(lines)
            raise
        self._input.put_back(lines[end + 1 :])
        return said_bye


def tell(events: Sequence[Event], output: Output, hints: Hints | None = None) -> None:
    """Tell what has happened in a conversation."""
    messages: list[Message] = []
    for event in events:
        if type(event) is Message:
            messages.append(event)
            continue
        if messages:
            output.messages(messages)
            messages = []
        _tell(event, output, hints)
    if messages:
        output.messages(messages)
    output.flush()


def _tell(event: Event, output: Output, hints: Hints | None) -> None:
    match event:
        case Delivered(upto) if upto:
            output.tell("delivered", upto=upto)
        case SaidBye():
            hint = "" if hints is None else hints.heard_bye()
            line = f"{visible(event.sender)} said bye{hint}"
            output.tell("bye", line, **{"from": event.sender, "at": iso(event.at_ms)})
        case Reconnecting():
            output.tell("reconnecting", "reconnecting…", name=event.name)
        case Reconnected():
            output.tell("reconnected", "back", name=event.name)
        case Ended():
            output.tell("ended", summary(event), said=event.said, heard=event.heard)


def summary(ended: Ended) -> str:
    """Return the line that ends a conversation."""
    return (
        f"the conversation is over: {counted(ended.said, 'message')} sent, {ended.heard}"
        " received; both sides hold the same"
    )
