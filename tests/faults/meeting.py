"""Two users with many lines for each other, on a network that a test can disturb.

The processes are the real `landline call` and `landline wait`, each on a node of its
own; between them, if a test wants it, stands a proxy on a third node. A meeting starts
anew what was killed and counts what arrived, from what the processes print or, after
kills, from the journals of both.
"""

from __future__ import annotations

import json
import signal
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.support.children import Children, command
from tests.support.proxy import Proxy, Way
from tests.support.town import PASSWORD
from tests.support.waiting import Deadline, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from landline_protocol.invite import Invite
    from tests.support.children import Child
    from tests.support.lan import Lan, Node

PATIENCE_S = 45.0
"""How long a meeting may take from the fault to its end."""
UNAVAILABLE = 3
TEXT_OCTETS = 1_000

# What a waiting program says of what it does, each until the next.
_DOING = tuple(f'{{"event": "{kind}"' for kind in ("waiting", "incoming", "accepted", "ended"))


class Counts(NamedTuple):
    """What became of the lines of one side, or of both."""

    sent: int
    delivered: int
    doubled: int
    disordered: int

    @property
    def lost(self) -> int:
        return self.sent - self.delivered

    def __add__(self, other: object) -> Counts:
        assert isinstance(other, Counts)
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Side:
    """One of the two: a home, a node, and one process after the other."""

    def __init__(
        self, children: Children, invite: Invite, node: Node, home: Path, name: str, way: Way
    ) -> None:
        self.node = node
        self.name = name
        self.way = way
        self.arguments: Sequence[str] = ()
        self.other = ""
        self.port = 0
        self.runs: list[Child] = []
        self.lines: list[str] = []
        self._children = children
        self._home = home
        self._settings = {
            "LANDLINE_HOME": str(home),
            "LANDLINE_BROKER": str(invite),
            "LANDLINE_PASSWORD": PASSWORD,
            "LANDLINE_JSON": "1",
        }

    @property
    def child(self) -> Child:
        """The process that runs now, or ran last."""
        return self.runs[-1]

    @property
    def calls(self) -> bool:
        return self.way is Way.THERE

    def landline(self, *arguments: str, stdin: Path | None = None) -> Child:
        argv = self.node.argv(command("landline"), *arguments)
        return self._children.start_program(argv, env=self._settings, stdin=stdin)

    def has_to_say(self, lines: int, octets: int = TEXT_OCTETS) -> None:
        self.lines = [f"{self.name} {n:07}".ljust(octets, ".") for n in range(lines)]

    def start(self, *, fed: bool = False) -> None:
        """Call or wait, with what is left to be said on stdin; `fed`: the test will say it."""
        stdin = None
        if not fed:
            stdin = self._home.with_name(f"{self.name}-says-{len(self.runs)}")
            kept = len(self.history(self.name)) if self.runs else 0
            stdin.write_text("".join(f"{line}\n" for line in self.lines[kept:]))
        self.runs.append(self.landline(*self.arguments, stdin=stdin))
        if not self.calls:
            self.child.expect_line('"event": "waiting"')

    def say(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.child.send_line(line)

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()

    def history(self, speaker: str) -> list[str]:
        """Return what somebody has said, by the journal of this side."""
        child = self.landline("history", self.other)
        assert child.wait() == 0, child.transcript()
        records = map(json.loads, child.stdout_lines)
        return [record["text"] for record in records if record["from"] == speaker]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind that were printed, by one process after the other."""
        # A process that is killed may leave half a line.
        return [
            json.loads(line)
            for child in self.runs
            for line in child.stdout_lines
            if line.startswith(f'{{"event": "{kind}"') and line.endswith("}")
        ]

    def waits(self) -> bool:
        """Whether the process that runs now has said last that it waits, of all that it may do."""
        said = [line for line in self.child.stdout_lines if line.startswith(_DOING)]
        return bool(said) and said[-1].startswith('{"event": "waiting"')

    def shown(self) -> list[str]:
        return [event["text"] for event in self.events("message")]


class Meeting:
    """A caller and a callee from registration to the last bye."""

    _serial = count(1)

    def __init__(self, lan: Lan, invite: Invite, children: Children, homes: Path) -> None:
        self.lan = lan
        self._resources = ExitStack()
        number = next(self._serial)

        def side(name: str, way: Way) -> Side:
            own = f"{name}{number:03}"
            return Side(children, invite, lan[name], homes / own, own, way)

        self.caller, self.callee = side("alice", Way.THERE), side("bob", Way.BACK)
        self.caller.other, self.callee.other = self.callee.name, self.caller.name
        self.sides = (self.caller, self.callee)
        self._register()
        self.caller.arguments = ("call", self.callee.name)
        self.callee.arguments = ("wait", "--accept")
        self.proxy: Proxy | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def stand_between(self) -> Proxy:
        """Let the caller find a proxy where the callee is said to be."""
        node, target = self.lan["middle"], (self.callee.node.address, self.callee.port)
        proxy = Proxy(target, node.address, self.callee.port, node)
        self._resources.enter_context(proxy)
        self.callee.arguments = (*self.callee.arguments, "--host", node.address)
        self.proxy = proxy
        return proxy

    def other(self, side: Side) -> Side:
        return self.callee if side is self.caller else self.caller

    def undone_at_the_end(self, change: AbstractContextManager[None]) -> None:
        """Change something about the network until the meeting is over."""
        self._resources.enter_context(change)

    def end(self, *, killed: bool) -> None:
        """See the meeting to its end; who calls calls again if somebody was killed."""
        patience = Deadline(PATIENCE_S)
        while (status := self.caller.child.wait(patience.left)) != 0:
            again = killed and status == UNAVAILABLE and not patience.over
            assert again, self.transcript()
            self.caller.start()
        if not killed:
            wait_until(lambda: self.callee.events("ended"), "the callee ends", patience.left)
        wait_until(self.callee.waits, "the callee waits again", patience.left)
        self.callee.child.signal(signal.SIGTERM)
        assert self.callee.child.wait(patience.left) == 0, self.transcript()

    def counts(self, *, killed: bool) -> Counts:
        """Count what arrived on both sides; what a killed process had not shown is in the journal."""
        both = Counts(0, 0, 0, 0)
        for side in self.sides:
            listener = self.other(side)
            heard = listener.history(side.name) if killed else listener.shown()
            both += counted(side.lines, heard)
        return both

    def agree(self, *, killed: bool) -> bool:
        """Whether the last conversation ended alike on both sides; who is killed may not say."""
        ended = [side.events("ended")[-1:] for side in self.sides]
        if killed and [] in ended:
            return True
        ((mine,), (theirs,)) = ended
        return bool((mine["said"], mine["heard"]) == (theirs["heard"], theirs["said"]))

    def transcript(self) -> str:
        """Return the ends of all that the processes printed."""
        return "\n".join(
            "\n".join(
                [repr(child), *(line[:160] for line in _eventful(child)), *child.stderr_lines]
            )
            for side in self.sides
            for child in side.runs
        )

    def _register(self) -> None:
        started = [side.landline("register", side.name) for side in self.sides]
        for side, child in zip(self.sides, started, strict=True):
            child.close_stdin()
            assert child.wait() == 0, child.transcript()
            side.port = json.loads(child.stdout_lines[0])["port"]


def counted(said: list[str], heard: list[str]) -> Counts:
    """Compare what was said with what was heard of it."""
    places = {line: place for place, line in enumerate(said)}
    assert set(heard) <= places.keys(), "something was heard that nobody said"
    furthest, disordered, seen = -1, 0, set[str]()
    for line in heard:
        if line not in seen and places[line] < furthest:
            disordered += 1
        seen.add(line)
        furthest = max(furthest, places[line])
    return Counts(len(said), len(seen), len(heard) - len(seen), disordered)


def _eventful(child: Child) -> list[str]:
    dull = ('{"event": "message"', '{"event": "delivered"')
    return [line for line in child.stdout_lines if not line.startswith(dull)][-100:]
