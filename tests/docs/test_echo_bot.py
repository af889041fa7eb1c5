"""The bot in README.md, as it stands there, against a real broker and a real caller."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from landline import Ended, Message, Peer
from tests.docs.page import README
from tests.docs.scene import PASSWORD, Scene
from tests.support.children import Children
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

BOT = README.section("## From Python").block("python")


def test_it_has_ten_lines_at_most() -> None:
    assert len(BOT.split("\n\n\n")) == 1
    assert len(BOT.strip().splitlines()) <= 10


def test_each_caller_hears_an_echo(children: Children, tmp_path: Path) -> None:
    scene = Scene(children, tmp_path)
    scene.serve()
    scene.run("echo", "landline", "--broker", scene.invite, "register", "echo")
    program = tmp_path / "echo.py"
    program.write_text(BOT)
    children.start_program([sys.executable, str(program)], env=scene.settings("echo"))
    with Peer(tmp_path / "alice", scene.invite) as alice:
        alice.register("alice", PASSWORD)
        alice.login("alice", PASSWORD)
        for texts in (["hello", "are you there?"], ["once more"]):
            wait_until(lambda: alice.who("echo")[0].state == "waiting", "the bot waits")
            assert echoes(alice, texts) == [f"you said: {text}" for text in texts]


def echoes(caller: Peer, texts: list[str]) -> list[str]:
    """Call the bot, say texts, and return what it said until both have said bye."""
    heard = []
    with caller.call("echo") as talk:
        for text in texts:
            talk.send(text)
        talk.bye()
        for event in talk.events():
            if isinstance(event, Message):
                heard.append(event.text)
        assert isinstance(event, Ended)
    return heard
