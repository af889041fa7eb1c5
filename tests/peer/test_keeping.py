"""A journal that fails for a while, or is changed by another program: nothing said is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from landline.errors import JournalUnusable, LandlineError
from landline.events import Delivered, Ended, Message
from landline.journal import Journal, file
from landline_protocol.frames import Accept, Batch, Hello
from tests.peer.raw import Raw, Wire, welcome
from tests.peer.stage import DEADLINE_S, broken, events, next_of
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from landline import Peer
    from landline.conversation import Conversation
    from tests.peer.stage import Stage


@pytest.fixture
def alice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """Alice, who does not wait long for a lock, and has a journal."""
    monkeypatch.setattr(file, "BUSY_MS", 300)
    alice = stage.peer("alice")
    journal_of(stage, alice).close()
    return alice


def journal_of(stage: Stage, peer: Peer) -> Journal:
    return Journal(path_of(stage, peer))


def path_of(stage: Stage, peer: Peer) -> Path:
    return peer.home.journal("alice", stage.invite)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the journal as another program that writes does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def taken(alice: Peer, wire: Wire, stage: Stage) -> Conversation:
    """Let mallory take alice's call."""
    calling = stage.call(alice, "mallory", once=True)
    wire.take_call()
    return calling.result(DEADLINE_S)


def test_what_was_said_while_the_journal_is_locked_is_kept(stage: Stage, alice: Peer) -> None:
    """The conversation ends by it; when there is a lock no more, everything is there."""
    wire = Raw(stage, "mallory").wait()
    talk = taken(alice, wire, stage)
    talk.send("before")
    wire.expect(Batch)
    with locked(path_of(stage, alice)):
        talk.send("numbered, and not stored")
        wait_until(lambda: talk._line.room._closed, "nothing more is accepted")
    error = broken(talk)
    assert isinstance(error, JournalUnusable)
    kept = [each.text for each in alice.outbox()]
    assert kept == ["before", "numbered, and not stored"]
    assert "not kept" not in str(error)


def test_what_is_said_in_a_call_that_cannot_begin_in_the_journal_is_kept(
    stage: Stage, alice: Peer
) -> None:
    wire = Raw(stage, "mallory").wait()
    calling = stage.call(alice, "mallory", once=True)
    hello = wire.expect(Hello)
    with locked(path_of(stage, alice)):
        wire.send(welcome(hello))
        wire.send(Accept())
        talk = calling.result(DEADLINE_S)
        talk.send("said at once")
        wait_until(lambda: talk._line.room._closed, "nothing more is accepted")
    assert isinstance(broken(talk), JournalUnusable)
    assert [each.text for each in alice.outbox()] == ["said at once"]


def test_how_much_is_kept_nowhere_is_told(stage: Stage, alice: Peer) -> None:
    wire = Raw(stage, "mallory").wait()
    talk = taken(alice, wire, stage)
    with locked(path_of(stage, alice)):
        talk.send_all(["one", "two"])
        error = broken(talk)
    assert isinstance(error, JournalUnusable)
    assert "the last 2 messages that you said are not kept" in str(error)


def test_what_is_still_in_the_outbox_is_not_told_as_lost(stage: Stage, alice: Peer) -> None:
    with closing(journal_of(stage, alice)) as journal:
        journal.post("mallory", [(1, "kept before")])
    wire = Raw(stage, "mallory").wait()
    calling = stage.call(alice, "mallory", once=True)
    hello = wire.expect(Hello)
    wire.send(welcome(hello))
    with locked(path_of(stage, alice)):
        wire.send(Accept())
        error = broken(calling.result(DEADLINE_S))
    assert isinstance(error, JournalUnusable)
    assert "not kept" not in str(error)
    assert [each.text for each in alice.outbox()] == ["kept before"]


def test_a_journal_that_was_removed_confirms_nothing(stage: Stage) -> None:
    pair = stage.talk()
    pair.bob.send("kept")
    next_of(pair.alice, Message)
    next_of(pair.bob, Delivered)
    home = stage.peers["alice"].home
    for each in home.journal("alice", stage.invite).parent.glob("journal-*"):
        each.unlink()
    pair.bob.send("not kept")
    error = broken(pair.alice)
    assert isinstance(error, JournalUnusable)
    assert "was removed" in str(error)
    assert isinstance(broken(pair.bob), LandlineError)
    assert [each.text for each in stage.peers["bob"].outbox()] == ["not kept"]


def test_an_answer_stands_behind_what_it_answers(stage: Stage) -> None:
    """Also when it comes at once, before what was heard was stored."""
    pair = stage.talk()
    for number in range(3):
        pair.alice.send(f"question {number}")
        assert next_of(pair.bob, Message).number == number + 1
        pair.bob.send(f"answer {number}")
        next_of(pair.alice, Message)
    pair.alice.bye()
    pair.bob.bye()
    for talk in (pair.alice, pair.bob):
        assert events(talk)[-1] == Ended(said=3, heard=3)
    wanted = [f"{what} {number}" for number in range(3) for what in ("question", "answer")]
    for name, other in (("alice", "bob"), ("bob", "alice")):
        assert [each.text for each in stage.peers[name].history(other)] == wanted
