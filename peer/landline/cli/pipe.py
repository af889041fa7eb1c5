"""A conversation without a terminal: stdin is what you say, stdout what they say.

Each line of stdin is a message; a line ``bye``, or the end of stdin, says bye.
A line that cannot be a message (not UTF-8, longer than 64 KiB) is named on
stderr and left out; all others are sent, and the exit status is 2 in the end.
The conversation's end ends it, whether or not more could be read from stdin.
Who does not read stdout keeps the other side from saying more.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from landline.cli.bell import Bell
from landline.cli.output import Output, counted, iso
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
    with Bell() as bell:
        speaker = Speaker(talk, said, output, bell)
        speaker.start()
        try:
            for events in happenings(talk):
                tell(events, output)
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
            " above; everything else was"
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


class Speaker(threading.Thread):
    """Says what stdin says, until bye or until the bell rings."""

    def __init__(self, talk: "Conversation", said: "Input", output: Output, bell: Bell) -> None:
        super().__init__(name="landline-stdin")
        self._talk = talk
        self._input = said
        self._output = output
        self._bell = bell
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


def tell(events: Sequence[Event], output: Output) -> None:
    """Tell what has happened in a conversation."""
    messages: list[Message] = []
    for event in events:
        if type(event) is Message:
            messages.append(event)
            continue
        if messages:
            output.messages(messages)
            messages = []
        _tell(event, output)
    if messages:
        output.messages(messages)
    output.flush()


def _tell(event: Event, output: Output) -> None:
    match event:
        case Delivered(upto) if upto:
            output.tell("delivered", upto=upto)
        case SaidBye():
            other = visible(event.sender)
            output.tell(
                "bye", f"{other} said bye", **{"from": event.sender, "at": iso(event.at_ms)}
            )
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
