"""A process that has no descriptor left: what is under way goes on, and the rest waits."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from landline.events import Delivered
from tests.faults.crowded_bob import LIMIT
from tests.peer.stage import DEADLINE_S, next_of

if TYPE_CHECKING:
    from tests.peer.stage import Stage
    from tests.support.children import Child, Children

BOB = Path(__file__).with_name("crowded_bob.py")


def bob_waits(stage: Stage, children: Children) -> Child:
    stage.peer("bob").close()
    return children.start_program([sys.executable, str(BOB), str(stage.home("bob"))])


def test_no_descriptor_left_ends_neither_the_conversation_nor_the_waiting(
    stage: Stage, children: Children
) -> None:
    bob = bob_waits(stage, children)
    bob.expect_line(f"limit {LIMIT} ")
    alice = stage.peer("alice")
    talk = stage.call(alice, "bob").result(DEADLINE_S)
    bob.send_line("hog")
    bob.expect_line("hogged")
    talk.send("one")
    bob.expect_line("heard one")
    assert next_of(talk, Delivered).upto == 1
    talk.hang_up()
    bob.expect_line("broken")
    bob.expect_line("too many files are open")
    bob.send_line("free")
    talk = stage.call(alice, "bob").result(DEADLINE_S)
    talk.send("two")
    bob.expect_line("heard two")
    assert sum("too many" in line for line in bob.stdout_lines) == 1
    bob.kill()


def test_strangers_who_take_all_descriptors_end_neither(stage: Stage, children: Children) -> None:
    """They connect to bob's port, and say nothing."""
    bob = bob_waits(stage, children)
    where = ("127.0.0.1", int(bob.expect_line(r"port (\d+)")[1]))
    alice = stage.peer("alice")
    talk = stage.call(alice, "bob").result(DEADLINE_S)
    with ExitStack() as strangers:
        for _ in range(LIMIT + 50):
            with suppress(OSError):
                strangers.enter_context(socket.create_connection(where))
        talk.send("one")
        bob.expect_line("heard one")
        assert next_of(talk, Delivered).upto == 1
        talk.hang_up()
        bob.expect_line("broken")
        talk = stage.call(alice, "bob").result(DEADLINE_S)
        talk.send("two")
        bob.expect_line("heard two")
    bob.kill()
