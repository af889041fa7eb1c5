"""Calling and being called, from the command to the last bye."""

from typing import TYPE_CHECKING

from landline.cli import pipe
from landline.cli.ending import Terminated
from landline.cli.output import Output, interactive
from landline.cli.stdin import Input
from landline.errors import InvalidInput, LandlineError
from landline.events import Connected, EndpointReceived, Progress, Ringing
from landline.visible import visible

if TYPE_CHECKING:
    from landline.conversation import Conversation
    from landline.peer import Peer
    from landline.waiting import IncomingCall, Waiting


def call(peer: "Peer", name: str, output: Output) -> None:
    """Call somebody and talk until both have said bye."""
    with output.errors_told():
        output.tell("calling", f"calling {visible(name)}…", name=name)
        with peer.call(name, progress=lambda step: show_progress(step, output)) as talk:
            _accepted(talk, output, f"{visible(talk.other)} accepted")
            converse(talk, Input(), output)


def wait(peer: "Peer", output: Output, *, accept: bool, once: bool, host: str) -> None:
    """Wait for callers and talk to one after the other, until interrupted.

    Raises:
        InvalidInput: nobody is there to ask, and ``accept`` is not set.
        LandlineError: the conversation broke off, if it was to be the only one.
    """
    if not accept and (output.json or not interactive()):
        raise InvalidInput(
            "nobody is there to ask whether to take a call; add --accept to take every one"
        )
    with output.errors_told(), peer.wait(host) as waiting:
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
                if _taken(incoming, output, accept=accept):
                    talk = _talk(incoming, output)
        except (KeyboardInterrupt, Terminated):
            raise _Stopped from None
        try:
            with talk:
                _accepted(talk, output, f"talking with {visible(talk.other)}")
                converse(talk, said, output)
        except LandlineError as error:
            if once:
                raise
            output.tell("error", visible(str(error)), say=str(error), status=error.exit_status)
        if once:
            return


def _say_waiting(waiting: "Waiting", output: Output) -> None:
    name, port = waiting.account.name, waiting.port
    line = f"waiting for callers as {visible(name)} on port {port}; Ctrl-C ends"
    output.tell("waiting", line, name=name, port=port)


def _taken(incoming: "IncomingCall", output: Output, *, accept: bool) -> bool:
    """Announce a call and find out whether to take it."""
    caller = incoming.caller
    output.tell("incoming", f"{visible(caller)} is calling" if accept else "", **{"from": caller})
    if accept:
        return True
    from landline.cli.ringing import asked

    answer = asked(incoming)
    if answer is None:
        _missed(incoming, output)
    elif not answer:
        incoming.decline()
        output.tell("declined", f"declined {visible(caller)}'s call", **{"from": caller})
    return bool(answer)


def _talk(incoming: "IncomingCall", output: Output) -> "Conversation | None":
    """Take the call, unless the caller has just gone."""
    try:
        return incoming.accept()
    except LandlineError:
        _missed(incoming, output)
        return None


def _accepted(talk: "Conversation", output: Output, line: str) -> None:
    hint = "; type and press Enter, bye ends" if interactive() and not output.json else ""
    output.tell("accepted", line + hint, name=talk.other)


def _missed(incoming: "IncomingCall", output: Output) -> None:
    line = f"{visible(incoming.caller)} has gone; you missed the call"
    output.tell("missed", line, **{"from": incoming.caller})
