"""The archive: what a device holds can be read and refused without a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline.archive import Archive
from landline.errors import InvalidInput, NotLoggedIn
from tests.peer.stage import Stage

if TYPE_CHECKING:
    from landline import Peer

INVITE = "landline://x:1/?key=" + "A" * 43


def talked(stage: Stage) -> Peer:
    """Return alice, who has said "one" to bob and left "two" for him."""
    waiting = stage.wait(stage.peer("bob"))
    alice = stage.peer("alice")
    talk, bob, *_ = stage.talk_again(alice, waiting, iter(waiting))
    talk.send("one")
    talk.bye()
    bob.bye()
    list(bob.events())
    list(talk.events())
    stage.stop_broker()
    alice.send("bob", ["two"])
    return alice


def test_the_history_and_the_outbox_need_no_broker(stage: Stage) -> None:
    talked(stage)
    archive = Archive(stage.home("alice"))
    assert [(r.text, r.mine, r.delivered) for r in archive.history("bob")] == [
        ("one", True, True),
        ("two", True, False),
    ]
    assert [each.text for each in archive.outbox()] == ["two"]
    assert archive.forget("bob") == 1
    assert [each.text for each in archive.history(search="two")] == ["two"]


def test_a_search_that_takes_a_moment_says_so_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    talked(stage)
    monkeypatch.setattr("landline.archive.MANY_ITEMS", 0)
    told: list[str] = []
    archive = Archive(stage.home("alice"), notice=told.append)
    for _ in range(2):
        assert [each.text for each in archive.history(search="one")] == ["one"]
    assert told == ["making new messages searchable, once; this takes a moment"]


def test_who_is_blocked_is_kept_here(stage: Stage) -> None:
    stage.peer("alice")
    archive = Archive(stage.home("alice"))
    archive.block("Bob")
    assert Archive(stage.home("alice")).blocked() == ["bob"]
    assert archive.unblock("bob")
    assert not archive.unblock("bob")
    assert archive.blocked() == []


def test_nobody_has_logged_in_here(stage: Stage) -> None:
    archive = Archive(stage.home("nobody"), INVITE)
    for attempt in (
        archive.blocked,
        lambda: list(archive.history("bob")),
        lambda: list(archive.outbox()),
    ):
        with pytest.raises(NotLoggedIn, match="log in first"):
            attempt()


def test_names_and_invites_are_checked(stage: Stage) -> None:
    stage.peer("alice")
    archive = Archive(stage.home("alice"))
    for attempt in (
        lambda: list(archive.history("a b")),
        lambda: list(archive.outbox("a b")),
        lambda: archive.forget("a b"),
        lambda: archive.block("a b"),
        lambda: archive.unblock("a b"),
    ):
        with pytest.raises(InvalidInput):
            attempt()
    with pytest.raises(InvalidInput, match="this is no invite"):
        Archive(stage.home("alice"), "landline://")
