"""Processes that are killed or stopped: the other side ends with the right count."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline.errors import ConversationBroken
from landline.events import Delivered, Ended, Message
from tests.peer.stage import DEADLINE_S, broken, next_of

if TYPE_CHECKING:
    from tests.peer.stage import Stage
    from tests.support.children import Child, Children

BOB = Path(__file__).with_name("waiting_bob.py")


def bob_waits(stage: Stage, children: Children) -> Child:
    """Start bob in a process of his own; he echoes what he hears."""
    stage.peer("bob").close()
    bob = children.start_program([sys.executable, str(BOB), str(stage.home("bob"))])
    bob.expect_line("waiting")
    return bob


def test_a_callee_that_is_killed_leaves_what_is_not_confirmed(
    stage: Stage, children: Children
) -> None:
    bob = bob_waits(stage, children)
    alice = stage.peer("alice")
    talk = stage.call(alice, "bob").result(DEADLINE_S)
    talk.send("one")
    assert next_of(talk, Message).text == "one"
    while next_of(talk, Delivered).upto < 1:
        pass
    bob.signal(signal.SIGSTOP)
    for n in range(5):
        talk.send(f"lost {n}")
    bob.kill()
    error = broken(talk)
    assert isinstance(error, ConversationBroken)
    assert (error.unconfirmed, error.exit_status) == (5, 7)
    mine = [record for record in alice.history("bob") if record.mine]
    assert [record.delivered for record in mine] == [True] + [False] * 5


def test_a_caller_that_is_killed_frees_the_callee(stage: Stage, children: Children) -> None:
    waiting = stage.wait(stage.peer("carol"))
    calls = iter(waiting)
    stage.peer("bob").close()
    bob = children.start_program([sys.executable, str(BOB), str(stage.home("bob")), "carol"])
    talk = next(calls).accept()
    bob.expect_line("talking")
    talk.send("hello")
    bob.expect_line("heard hello")
    bob.kill()
    assert isinstance(broken(talk), ConversationBroken)
    stage.talk_again(stage.peer("alice"), waiting, calls)


@pytest.mark.slow
def test_a_process_that_is_stopped_is_noticed(stage: Stage, children: Children) -> None:
    """The heartbeat tells after HEARTBEAT_TIMEOUT_MS."""
    bob = bob_waits(stage, children)
    talk = stage.call(stage.peer("alice"), "bob").result(DEADLINE_S)
    talk.send("one")
    assert next_of(talk, Message).text == "one"
    while next_of(talk, Delivered).upto < 1:
        pass
    bob.signal(signal.SIGSTOP)
    talk.send("two")
    error = broken(talk)
    assert isinstance(error, ConversationBroken)
    assert error.unconfirmed == 1
    bob.kill()


def test_a_conversation_needs_no_broker(stage: Stage, children: Children) -> None:
    bob = bob_waits(stage, children)
    talk = stage.call(stage.peer("alice"), "bob").result(DEADLINE_S)
    stage.stop_broker()
    talk.send("without")
    assert next_of(talk, Message).text == "without"
    talk.bye()
    assert list(talk.events())[-1] == Ended(said=1, heard=1)
    bob.expect_line("ended")
    bob.kill()


def test_a_signal_ends_whoever_waits_for_the_others_bye(stage: Stage, children: Children) -> None:
    """Ctrl-C in the middle of a conversation: nothing hangs, and no thread is left."""
    bob = bob_waits(stage, children)
    talk = stage.call(stage.peer("alice"), "bob").result(DEADLINE_S)
    talk.send("one")
    assert next_of(talk, Message).text == "one"
    bob.signal(signal.SIGINT)
    while next_of(talk, Delivered).upto < 1:
        pass
    talk.bye()
    assert list(talk.events())[-1] == Ended(said=1, heard=1)
    assert bob.wait() == 130
