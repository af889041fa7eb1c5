"""A conversation without a terminal: stdin is what you say, stdout what they say.

Each line of stdin is a message; a line ``bye``, or the end of stdin, says bye.
A line that cannot be a message (not UTF-8, longer than 64 KiB) is named on
stderr and left out; all others are sent, and the exit status is 2 in the end.
The conversation's end ends it, whether or not more could be read from stdin.
"""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from landline.cli.bell import Bell
from landline.cli.output import Output, iso
from landline.errors import ConversationBroken, InvalidInput, LandlineError
from landline.events import Delivered, Ended, Event, Message, SaidBye
from landline.visible import visible

if TYPE_CHECKING:
    from landline.cli.stdin import Input
    from landline.conversation import Conversation

BYE = "bye"
FAREWELL_S = 1.0
"""How long what was read from stdin may take to be said when the program is being ended."""
_LUMP = 256


def converse(talk: "Conversation", said: "Input", output: Output) -> None:
    """Hold the conversation until both have said bye.

    Raises:
        ConversationBroken: it broke off.
        InvalidInput: it is over, but some lines of stdin could not be sent.
    """
    flawed = said.flawed
    with Bell() as bell:
        speaker = Speaker(talk, said, output, bell)
        speaker.start()
        try:
            for lump in lumps(talk):
                for event in lump:
                    tell(event, output)
                output.flush()
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
            f"{_counted(said.flawed - flawed, 'line')} of stdin could not be sent, as said"
            " above; everything else was"
        )


def lumps(talk: "Conversation") -> Iterator[list[Event]]:
    """Yield what happens, as much at once as there is, until both have said bye.

    Raises: as ``Conversation.events``, after all that came before.
    """
    ended = False
    while not ended:
        event = talk.next_event()
        if event is None:
            raise ConversationBroken("the conversation is over")
        lump, error = [event], None
        try:
            while len(lump) < _LUMP and (more := talk.next_event(0)) is not None:
                lump.append(more)
        except LandlineError as broken:
            error = broken
        yield lump
        if error is not None:
            raise error
        ended = isinstance(lump[-1], Ended)


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
        except Exception as error:  # noqa: BLE001 - the other thread raises it
            self.error = error
            self._talk.hang_up()

    def _speak(self) -> None:
        while (line := self._input.next(self._bell)) is not None:
            if line.text == BYE:
                break
            if line.text is None:
                say = f"line {line.number} of stdin {line.flaw}; it was not sent"
                self._output.tell("unsent", f"landline: {say}", line=line.number, say=say)
                continue
            try:
                self._talk.send(line.text)
            except ConversationBroken:
                # The other thread learns why.
                self._input.put_back(line)
                return
        if not self._bell.rung:
            self._talk.bye()


def tell(event: Event, output: Output) -> None:
    """Tell one event of a conversation."""
    match event:
        case Message():
            output.message(event)
        case Delivered():
            output.tell("delivered", upto=event.upto)
        case SaidBye():
            other = visible(event.sender)
            output.tell(
                "bye", f"{other} said bye", **{"from": event.sender, "at": iso(event.at_ms)}
            )
        case Ended():
            output.tell("ended", summary(event), said=event.said, heard=event.heard)


def summary(ended: Ended) -> str:
    """Return the line that ends a conversation."""
    return (
        f"the conversation is over: {_counted(ended.said, 'message')} sent, {ended.heard} received"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
