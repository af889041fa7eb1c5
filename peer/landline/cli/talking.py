"""Calling and being called, from the command to the last bye."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from landline.cli import pipe
from landline.cli.ending import Terminated
from landline.cli.output import (
    Output,
    at_terminal,
    coloured,
    counted,
    interactive,
    local,
    loud,
    typed,
)
from landline.cli.stdin import Input
from landline.errors import (
    ConversationBroken,
    InvalidInput,
    JournalUnusable,
    LandlineError,
    RecordsDiffer,
)
from landline.events import (
    CaughtUp,
    Connected,
    Ended,
    EndpointReceived,
    Event,
    Message,
    Progress,
    Ringing,
)
from landline.visible import visible

if TYPE_CHECKING:
    from landline.conversation import Conversation
    from landline.peer import Peer
    from landline.waiting import IncomingCall, Waiting


STALLED_S = 10.0
"""How long a delivery may keep others from calling, ..."""
A_MESSAGE_S = 0.01
"""... and how much longer for each message that it brings."""


def call(peer: "Peer", name: str, output: Output) -> None:
    """Call somebody and talk until both have said bye."""
    with output.errors_told():
        output.tell("calling", f"calling {visible(name)}…", name=name)
        said = Input()
        with peer.call(name, progress=lambda step: show_progress(step, output)) as talk:
            _accepted(talk, output, f"{visible(talk.other)} accepted")
            converse(talk, said, output)
        _check_all_said(said)


def wait(
    peer: "Peer", output: Output, *, accept: bool, once: bool, host: str = "", port: int = 0
) -> None:
    """Wait for callers and talk to one after the other, until interrupted.

    Callers are told ``host`` and ``port``, if they are given, instead of what
    the broker sees. Messages that somebody delivers are shown.

    Raises:
        InvalidInput: nobody can be asked, and ``accept`` is not set.
        LandlineError: the conversation broke off, if it was to be the only one.
    """
    if not accept and (output.json or not interactive()):
        nobody = _why_nobody_is_asked(output)
        raise InvalidInput(f"{nobody} whether to take a call; add --accept to take every one")
    with output.errors_told(), peer.wait(host, port) as waiting:
        try:
            _serve(waiting, output, accept=accept, once=once)
        except _Stopped:
            output.tell("stopped", "no longer waiting for callers")


def converse(talk: "Conversation", said: Input, output: Output) -> None:
    """Talk on the terminal, or through stdin and stdout. The caller closes ``talk``.

    Raises: as ``pipe.converse`` and ``chat.converse``.
    """
    if interactive() and not output.json:
        from landline.cli import chat

        chat.converse(talk, output)
    else:
        pipe.converse(talk, said, output)


def show_progress(step: Progress, output: Output) -> None:
    """Tell how a call comes about."""
    match step:
        case EndpointReceived():
            where = {"host": step.host, "port": step.port}
            output.tell("endpoint", "", name=step.name, **where)
        case Connected():
            line = f"connected to {visible(step.there)}, straight and encrypted"
            output.tell("connected", line, here=step.here, there=step.there)
        case Ringing():
            output.tell("ringing", "ringing…", name=step.name)
        case CaughtUp():
            _show_left(step.messages, output)


def _why_nobody_is_asked(output: Output) -> str:
    if output.json:
        return "with --json nobody is asked"
    if at_terminal():
        return "on a terminal that can only print lines nobody can be asked"
    return "unless stdin and stdout are a terminal, nobody can be asked"


class _Stopped(Exception):
    """The user waits no more."""


def _serve(waiting: "Waiting", output: Output, *, accept: bool, once: bool) -> None:
    said = Input()
    calls = iter(waiting)
    while True:
        try:
            # The line names Ctrl-C, so that the key has to mean it from here on.
            _say_waiting(waiting, output)
            talk = None
            while talk is None:
                incoming = next(calls)
                if incoming.rings:
                    talk = _answered(incoming, output, accept=accept)
                else:
                    _receive(incoming, output)
                if talk is None:
                    _say_waiting(waiting, output)
        except (KeyboardInterrupt, Terminated):
            raise _Stopped from None
        try:
            with talk:
                converse(talk, said, output)
        except LandlineError as error:
            if once:
                raise
            _tell_error(error, output)
        if once:
            _check_all_said(said)
            return


def _check_all_said(said: Input) -> None:
    """Tell of lines for which there is no other conversation."""
    if said.has_more:
        raise InvalidInput("what stdin says after bye was not sent; everything before it was")


def _say_waiting(waiting: "Waiting", output: Output) -> None:
    # Whoever reads the line may call at once.
    waiting.listen()
    name, port = waiting.account.name, waiting.port
    line = f"waiting for callers as {visible(name)} on port {port}; Ctrl-C ends"
    output.tell("waiting", line, name=name, port=port)


def _answered(incoming: "IncomingCall", output: Output, *, accept: bool) -> "Conversation | None":
    """Announce a call, and return the conversation, if it is taken and they are still there."""
    if not _taken(incoming, output, accept=accept):
        return None
    try:
        talk = incoming.accept()
    except LandlineError:
        _missed(incoming, output)
        return None
    other = visible(talk.other)
    goes_on = f"{other} is back; the conversation goes on"
    _accepted(talk, output, goes_on if incoming.resumed else f"talking with {other}")
    return talk


def _taken(incoming: "IncomingCall", output: Output, *, accept: bool) -> bool:
    """Announce a call and find out whether to take it."""
    caller, resumed = incoming.caller, incoming.resumed
    rings = f"{visible(caller)} is calling" if accept and not resumed else ""
    _announce(incoming, output, rings)
    if accept or resumed:
        return True
    from landline.cli.ringing import asked

    answer = asked(incoming)
    if answer is None:
        _missed(incoming, output)
    elif not answer:
        incoming.decline()
        output.tell("declined", f"declined {visible(caller)}'s call", **{"from": caller})
    return bool(answer)


def _announce(incoming: "IncomingCall", output: Output, line: str) -> None:
    kind = {"delivery": not incoming.rings, "resumed": incoming.resumed}
    output.tell("incoming", line, **{"from": incoming.caller}, **kind)


def _receive(incoming: "IncomingCall", output: Output) -> None:
    """Take a delivery and show what was left. Nobody is asked, and nothing said but bye."""
    _announce(incoming, output, "")
    other = visible(incoming.caller)
    try:
        with incoming.accept() as talk:
            output.tell("accepted", name=talk.other)
            talk.bye()
            count, begun = 0, time.monotonic()
            while events := talk.next_events(_left_s(count, begun)):
                _show_left(events, output)
                if isinstance(events[-1], Ended):
                    return
                count += sum(isinstance(event, Message) for event in events)
            raise ConversationBroken("the delivery does not get on")
    except JournalUnusable:
        raise
    except RecordsDiffer as error:
        _tell_error(error, output)
    except LandlineError:
        output.notice(f"{other} was cut off while leaving messages; the rest comes another time")


def _left_s(count: int, begun: float) -> float:
    """Return how long a delivery that has brought so many messages may still take."""
    return max(0.0, STALLED_S + count * A_MESSAGE_S - (time.monotonic() - begun))


def _show_left(events: Sequence[Event], output: Output) -> None:
    """Show what a delivery brings: off a terminal like any message."""
    if output.json:
        pipe.tell(events, output)
        return
    messages = [event for event in events if isinstance(event, Message)]
    if at_terminal():
        for message in messages:
            click.echo(_left(message))
    elif messages:
        output.messages(messages)
        output.flush()
        many = counted(len(messages), "message")
        output.tell("", f"{visible(messages[0].sender)} has left {many}")


def _left(message: Message) -> str:
    today = local(time.time_ns() // 1_000_000, "%Y-%m-%d ")
    at = local(message.at_ms, "%Y-%m-%d %H:%M").removeprefix(today)
    name = visible(message.sender)
    if coloured():
        at, name = click.style(at, dim=True), click.style(name, fg="cyan")
    return f"{at} {name}, left for you: {visible(message.text)}"


def _tell_error(error: LandlineError, output: Output) -> None:
    output.tell("error", loud(error), say=str(error), status=error.exit_status)


def _accepted(talk: "Conversation", output: Output, line: str) -> None:
    hint = "; type and press Enter, bye ends" if typed() and not output.json else ""
    output.tell("accepted", line + hint, name=talk.other)


def _missed(incoming: "IncomingCall", output: Output) -> None:
    line = f"{visible(incoming.caller)} has gone; you missed the call"
    output.tell("missed", line, **{"from": incoming.caller})
