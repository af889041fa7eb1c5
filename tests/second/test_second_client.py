"""A client that only knows protocol/SPEC.md talks with Landline, as caller and as callee."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline.errors import Declined
from landline.events import Ended, Message
from landline_protocol.messages import Claimed
from tests.peer.raw import Raw
from tests.peer.stage import DEADLINE_S, PASSWORD, broken, events
from tests.second import client
from tests.second.client import Client, Said, Talk
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from landline.conversation import Conversation
    from tests.peer.stage import Stage

    Second = Callable[[str], Client]
    Meet = Callable[[Stage, Second], tuple[Talk, Conversation]]

PARTS = {"zmq", "msgpack", *sys.stdlib_module_names}
LONG = "ö" * (client.TEXT_MAX // 2)


@pytest.fixture
def second(stage: Stage) -> Second:
    """Make a second client whose user is registered and logged in."""

    def make(name: str) -> Client:
        made = Client(stage.path / f"second-{name}", str(stage.invite))
        stage.resources.enter_context(made)
        made.register(name, PASSWORD)
        made.login(name, PASSWORD)
        return made

    return make


def call(alice: Client, name: str) -> Talk:
    """Call as soon as the other waits."""

    def try_to() -> Talk | None:
        try:
            return alice.call(name)
        except Said as said:
            if said.code not in {"offline", "engaged"}:
                raise
            return None

    talk = wait_until(try_to, f"{name} waits")
    assert talk is not None
    return talk


def calling(stage: Stage, second: Second) -> tuple[Talk, Conversation]:
    """Let the second client call Landline; return its end and Landline's."""
    alice = second("alice")
    calls = iter(stage.wait(stage.peer("bob")))
    answering = stage.spawn(lambda: next(calls).accept())
    return call(alice, "bob"), hung_up(stage, answering.result(DEADLINE_S))


def called(stage: Stage, second: Second) -> tuple[Talk, Conversation]:
    """Let Landline call the second client; return the client's end and Landline's."""
    bob = second("bob")
    bob.publish()
    landline = stage.call(stage.peer("alice"), "bob")
    talk = bob.answer()
    assert talk is not None
    return talk, hung_up(stage, landline.result(DEADLINE_S))


def hung_up(stage: Stage, talk: Conversation) -> Conversation:
    stage.resources.callback(talk.hang_up)
    return talk


both_roles = pytest.mark.parametrize("meet", [calling, called], ids=["calling", "called"])


def test_the_second_client_has_nothing_of_landline() -> None:
    tree = ast.parse(Path(client.__file__).read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= PARTS


@both_roles
def test_they_chat_and_end_with_the_same_digests(stage: Stage, second: Second, meet: Meet) -> None:
    talk, landline = meet(stage, second)
    for text in ("one", "", LONG):
        talk.say(text)
    talk.settle()  # or Landline's bye could be too early to speak of all three
    assert [next_text(landline) for _ in range(3)] == ["one", "", LONG]
    for text in ("yes", "\x1b[2J\0", LONG):
        landline.send(text)
    assert [talk.next() for _ in range(3)] == ["yes", "\x1b[2J\0", LONG]
    landline.bye()
    assert talk.next() is None
    talk.bye()
    talk.finish()
    # Landline has compared the digests of the second client's bye, ...
    assert events(landline)[-1] == Ended(said=3, heard=3)
    # ... and the second client those of Landline's, in both directions.
    assert talk.agreed


@both_roles
def test_each_still_hears_the_other_after_its_own_bye(
    stage: Stage, second: Second, meet: Meet
) -> None:
    talk, landline = meet(stage, second)
    talk.bye()
    for n in range(3):
        landline.send(f"after {n}")
    landline.bye()
    talk.finish()
    assert talk.texts == [f"after {n}" for n in range(3)]
    assert talk.agreed
    assert events(landline)[-1] == Ended(said=3, heard=0)


@both_roles
def test_more_than_a_window_goes_both_ways(stage: Stage, second: Second, meet: Meet) -> None:
    talk, landline = meet(stage, second)
    count = 3 * client.WINDOW // client.TEXT_MAX
    sending = stage.spawn(lambda: [landline.send(LONG) for _ in range(count)])
    reading = stage.spawn(lambda: [next_text(landline) for _ in range(count)])
    for _ in range(count):
        talk.say(LONG)
    talk.bye()
    assert sending.result(DEADLINE_S) == list(range(1, count + 1))
    assert reading.result(DEADLINE_S) == [LONG] * count
    landline.bye()
    talk.finish()
    assert talk.texts == [LONG] * count
    assert events(landline)[-1] == Ended(said=count, heard=count)


@both_roles
def test_landline_finds_a_digest_that_does_not_fit(
    stage: Stage, second: Second, meet: Meet
) -> None:
    talk, landline = meet(stage, second)
    talk.say("one")
    talk.said.update(b"a text that was never sent")
    talk.bye()
    with pytest.raises(Said, match="disagreement"):
        talk.finish()
    assert "THE RECORDS DIFFER" in str(broken(landline))


def test_a_caller_is_declined_and_the_next_one_is_taken(stage: Stage, second: Second) -> None:
    bob = second("bob")
    bob.publish()
    alice, carol = stage.peer("alice"), stage.peer("carol")
    declined = stage.call(alice, "bob")
    assert bob.answer(accept=False) is None
    with pytest.raises(Declined):
        declined.result(DEADLINE_S)
    bob.publish()
    landline = stage.call(carol, "bob")
    talk = bob.answer()
    assert talk is not None
    talk.say("hello, carol")
    assert next_text(hung_up(stage, landline.result(DEADLINE_S))) == "hello, carol"
    bob.leave()
    assert alice.who("bob")[0].state == "offline"


def test_strangers_knock_in_vain_while_they_chat(stage: Stage, second: Second) -> None:
    bob = second("bob")
    bob.publish()
    calling = stage.call(stage.peer("alice"), "bob")
    talk = bob.answer()
    assert talk is not None
    landline = hung_up(stage, calling.result(DEADLINE_S))
    mallory = Raw(stage, "mallory")
    endpoint = Claimed(bytes(16), "bob", "127.0.0.1", bob.port, bob.key, 15.0)

    def knock() -> int:
        assert mallory.dial(endpoint).gone()
        return landline.send("still here")

    knocking = stage.spawn(knock)
    assert talk.next() == "still here"
    assert knocking.result(DEADLINE_S) == 1


def test_landline_declines_the_second_client(stage: Stage, second: Second) -> None:
    alice = second("alice")
    calls = iter(stage.wait(stage.peer("bob")))
    declining = stage.spawn(lambda: next(calls).decline("not now"))
    with pytest.raises(Said, match="not now") as declined:
        call(alice, "bob")
    assert declined.value.code == "declined"
    declining.result(DEADLINE_S)


def next_text(landline: Conversation) -> str:
    for event in landline.events():
        if isinstance(event, Message):
            return event.text
    raise AssertionError("no message came")
