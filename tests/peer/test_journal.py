"""The journal: what is stored comes back, and what cannot be stored is said."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from landline.errors import ConversationBroken, JournalUnusable, LandlineError
from landline.events import Delivered, Message
from landline.journal import Journal, Record, Row
from tests.peer.disk import fill, forbid_writing, mounted
from tests.peer.stage import broken, next_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.peer.stage import Stage

TALK = b"\1" * 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with closing(Journal(path)) as journal:
        yield journal


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    with mounted(tmp_path / "disk", 2_097_152) as path:
        yield path


def test_what_was_stored_comes_back_in_its_order(journal: Journal, path: Path) -> None:
    talk = journal.open_conversation(TALK, "bob")
    rows = [Row(True, 1, 5, "a\0b"), Row(False, 1, 6, ""), Row(True, 2, 7, "\N{GRINNING FACE}")]
    journal.store(talk, rows)
    journal.confirm(talk, 1)
    with closing(Journal(path)) as again:
        assert list(again.history("bob")) == [
            Record("bob", True, 1, 5, "a\0b", True),
            Record("bob", False, 1, 6, "", True),
            Record("bob", True, 2, 7, "\N{GRINNING FACE}", False),
        ]
        assert list(again.history("carol")) == []


def test_a_conversation_goes_on_where_it_was(journal: Journal, path: Path) -> None:
    talk = journal.open_conversation(TALK, "bob")
    journal.store(talk, [Row(True, 1, 1, "one")])
    with closing(Journal(path)) as again:
        assert again.open_conversation(TALK, "bob") == talk
        again.store(talk, [Row(False, 1, 1, "two")])
    assert [record.text for record in journal.history("bob")] == ["one", "two"]


def test_it_knows_which_conversations_there_were(journal: Journal) -> None:
    assert not journal.knows(TALK)
    journal.open_conversation(TALK, "bob")
    assert journal.knows(TALK)


def test_all_is_stored_or_nothing(journal: Journal) -> None:
    talk = journal.open_conversation(TALK, "bob")
    with pytest.raises(JournalUnusable, match="cannot use the journal"):
        journal.store(talk, [Row(True, 1, 1, "one"), Row(True, 1, 1, "one again")])
    assert list(journal.history("bob")) == []
    journal.store(talk, [Row(True, 1, 1, "one")])


def test_the_file_is_the_owners_alone(journal: Journal, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("version", [2, 99, -1])
def test_a_journal_of_the_future_is_left_alone(path: Path, version: int) -> None:
    Journal(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(JournalUnusable, match="newer Landline; upgrade this one"):
        Journal(path)


@pytest.mark.parametrize("octets", [b"garbage" * 1_000, b"SQLite format 3\0" + b"x" * 5_000])
def test_a_corrupt_file_is_named(path: Path, octets: bytes) -> None:
    path.write_bytes(octets)
    with pytest.raises(JournalUnusable, match="cannot use the journal"):
        Journal(path)


def test_a_directory_in_its_place_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(JournalUnusable, match="cannot use the journal"):
        Journal(path)


def test_a_read_only_disk_is_said(disk: Path) -> None:
    Journal(disk / "journal").close()
    forbid_writing(disk)
    with pytest.raises(JournalUnusable, match="Read-only file system"):
        Journal(disk / "journal")


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
        db.execute("DROP TABLE messages")
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
