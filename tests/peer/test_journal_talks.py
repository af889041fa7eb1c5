"""The journal under a conversation: what cannot be stored is said, and nothing is confirmed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from landline.errors import ConversationBroken, JournalUnusable, LandlineError
from landline.events import Delivered, Message
from tests.peer.disk import fill, mounted
from tests.peer.stage import broken, next_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.peer.stage import Stage


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    with mounted(tmp_path / "disk", 2_097_152) as path:
        yield path


def test_a_disk_that_gets_full_ends_a_conversation_with_a_clear_word(
    disk: Path, stage: Stage
) -> None:
    """Bob's disk is full: he is told why, alice what is not confirmed, and that is true."""
    stage.homes["bob"] = disk / "bob"
    waiting = stage.wait(stage.peer("bob"))
    peer = stage.peer("alice")
    alice, bob, *_ = stage.talk_again(peer, waiting, iter(waiting))
    alice.send("fits")
    next_of(alice, Delivered)
    fill(disk)
    for _ in range(40):
        alice.send("x" * 50_000)
    error = broken(alice)
    assert isinstance(error, ConversationBroken)
    assert "cannot store" in str(error)
    assert isinstance(broken(bob), JournalUnusable)
    confirmed = 41 - error.unconfirmed
    kept = [record for record in stage.peers["bob"].history("alice") if not record.mine]
    assert len(kept) >= confirmed >= 1
    delivered = [record for record in peer.history("bob") if record.delivered]
    assert len(delivered) == confirmed


def test_a_call_that_could_not_be_kept_is_not_made(stage: Stage) -> None:
    stage.wait(stage.peer("bob"))
    alice = stage.peer("alice")
    alice.home.journal("alice", stage.invite).mkdir()
    with pytest.raises(JournalUnusable):
        alice.call("bob")
    assert [each.state for each in alice.who("bob")] == ["waiting"]


def test_a_callee_that_cannot_look_into_its_journal_refuses(stage: Stage) -> None:
    bob = stage.peer("bob")
    waiting = stage.wait(bob)
    with closing(sqlite3.connect(bob.home.journal("bob", stage.invite))) as db:
        db.execute("DROP TABLE chunks")
        db.execute("DROP TABLE conversations")
    coming = stage.spawn(lambda: next(iter(waiting)))
    with pytest.raises(LandlineError, match="cannot store messages") as caught:
        stage.call(stage.peer("alice"), "bob").result(15)
    assert caught.value.exit_status == 4
    with pytest.raises(JournalUnusable):
        coming.result(15)


def test_messages_are_stored_before_they_are_confirmed(stage: Stage) -> None:
    waiting = stage.wait(stage.peer("bob"))
    peer = stage.peer("alice")
    alice, bob, *_ = stage.talk_again(peer, waiting, iter(waiting))
    alice.send("one")
    next_of(alice, Delivered)
    assert [record.text for record in stage.peers["bob"].history("alice")] == ["one"]
    assert next_of(bob, Message).text == "one"
