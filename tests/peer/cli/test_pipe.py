"""Conversations without a terminal: stdin, stdout, stderr and the exit status."""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from landline import Peer
from tests.peer.cli.household import LANDLINE, Household, Terminal
from tests.support.children import environment

if TYPE_CHECKING:
    from tests.support.children import Child

HOSTILE = "\x1b]0;owned\x07\x1b[2J \u202egnp.exe \r\x08\x7f\u2028"


def objects(child: Child) -> list[dict[str, Any]]:
    return [json.loads(line) for line in child.stdout_lines]


def names(child: Child) -> list[str]:
    return [str(each["event"]) for each in objects(child)]


def test_lines_go_both_ways(household: Household) -> None:
    """Each line is a message; the end of stdin says bye; stdout has nothing else."""
    bob = household.wait("bob", "--once")
    alice = household.start("alice", "call", "bob")
    alice.send_line("one")
    bob.expect_line("^one$")
    bob.send_line("two ✓")
    alice.expect_line("^two ✓$")
    alice.send_line("")
    alice.close_stdin()
    bob.expect_line("^$")
    bob.expect_error_line("alice said bye")
    bob.send_line("and you may still answer")
    bob.close_stdin()
    assert (alice.wait(), bob.wait()) == (0, 0)
    assert bob.stdout_lines == ["one", ""]
    assert alice.stdout_lines == ["two ✓", "and you may still answer"]
    alice.expect_error_line("over: 2 messages sent, 2 received; both sides hold the same$")


def test_a_line_bye_says_bye(household: Household) -> None:
    """Only exactly so; that something follows it on stdin is told, and stdin may stay open."""
    bob = household.wait("bob", "--once")
    alice = household.start("alice", "call", "bob")
    for line in ("one", "BYE", "bye ", "bye", "two"):
        alice.send_line(line)
    bob.expect_error_line("alice said bye")
    bob.send_line("bye")
    assert (alice.wait(), bob.wait()) == (2, 0)
    assert bob.stdout_lines == ["one", "BYE", "bye "]
    assert "what stdin says after bye was not sent" in alice.stderr_lines[-1]


def test_nothing_on_stdin_listens_on(household: Household) -> None:
    """``wait --once < /dev/null`` says bye at once and still reads until theirs."""
    bob = household.wait("bob", "--once")
    bob.close_stdin()
    alice = household.start("alice", "call", "bob")
    alice.expect_error_line("bob said bye")
    alice.send_line("still heard")
    alice.close_stdin()
    assert (alice.wait(), bob.wait()) == (0, 0)
    assert bob.stdout_lines == ["still heard"]


def test_somebody_who_types_is_told_what_there_is_to_do(household: Household) -> None:
    """Stdin is a terminal and stdout a file: the hints go to stderr, and nothing else changes."""
    said = household.path / "said"
    argv = ["/bin/sh", "-c", f"exec '{LANDLINE}' wait --accept --once > '{said}'"]
    for first in ("bob", "alice"):
        bob = Terminal(argv, environment(household.path, household.settings("bob")), household.path)
        household.terminals.append(bob)
        bob.until("waiting for callers")
        alice = household.start("alice", "call", "bob")
        bob.until("^talking with alice; type and press Enter, bye ends$")
        alice.send_line("hello")
        if first == "bob":
            bob.sendline("bye")
            bob.until("^waiting for alice's bye$")
            alice.close_stdin()
            bob.until("^alice said bye$")
        else:
            alice.close_stdin()
            bob.until("^alice said bye; you may still answer; bye or Ctrl-D ends$")
            bob.sendline("bye")
        status, shown = bob.finish()
        assert (status, alice.wait()) == (0, 0)
        assert ("waiting for alice's bye" in shown) == (first == "bob")
        assert said.read_text() == "hello\n"


def test_many_lines_arrive_in_order(household: Household) -> None:
    """Thousands at once, and none is lost."""
    lines = [f"line {number}" for number in range(20_000)]
    bob = household.wait("bob", "--once")
    bob.close_stdin()
    alice = household.start_with("alice", "\n".join(lines).encode(), "call", "bob")
    assert (alice.wait(), bob.wait()) == (0, 0)
    assert bob.stdout_lines == lines


def test_lines_that_cannot_be_sent(household: Household) -> None:
    """They are named by number; all others arrive; the status is 2."""
    bob = household.wait("bob", "--once")
    bob.close_stdin()
    longest = b"x" * 65_536
    stdin = b"\n".join([b"one", b"\xff\xfe", longest, longest + b"x", b"last"])
    alice = household.start_with("alice", stdin, "call", "bob")
    assert (alice.wait(), bob.wait()) == (2, 0)
    assert bob.stdout_lines == ["one", longest.decode(), "last"]
    errors = [line for line in alice.stderr_lines if line.startswith("landline: ")]
    assert errors[0] == "landline: line 2 of stdin is not UTF-8; it was not sent"
    assert errors[1] == "landline: line 4 of stdin is longer than 65536 bytes; it was not sent"
    assert errors[2] == (
        "landline: 2 lines of stdin could not be sent, as said above; everything else was sent"
    )
    assert len(errors) == 3


def test_line_ends_within_a_message(household: Household) -> None:
    """A message is one line on stdout, whatever is in it; the rest is as it was sent."""
    bob = household.wait("bob", "--once")
    bob.close_stdin()
    with Peer(household.home("alice"), household.invite) as alice, alice.call("bob") as talk:
        talk.send("two\nlines\rtwo marks \x1b")
    assert bob.wait() == 0
    # The test's reader takes the carriage return for a line's end.
    assert bob.stdout_lines == ["two␊lines", "two marks \x1b"]


def test_events_are_json(household: Household) -> None:
    """Every event by its name, with the members that the help promises."""
    bob = household.start("bob", "wait", "--accept", "--once", "--json")
    bob.expect_line('"waiting"')
    alice = household.start("alice", "call", "bob", "--json")
    alice.send_line(HOSTILE)
    bob.expect_line('"message"')
    bob.send_line("bye")
    alice.expect_line('"bye"')
    alice.close_stdin()
    assert (alice.wait(), bob.wait()) == (0, 0)
    assert alice.stderr_lines == bob.stderr_lines == []
    assert all(line.isascii() and line.isprintable() for line in bob.stdout_lines)
    assert [name for name in names(bob) if name != "delivered"] == [
        "waiting", "incoming", "accepted", "message", "bye", "ended",
    ]  # fmt: skip
    [message] = [each for each in objects(bob) if each["event"] == "message"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message.pop("at"))
    assert message == {"event": "message", "from": "alice", "text": HOSTILE, "number": 1}
    mine = {each["event"]: each for each in objects(alice)}
    assert mine["calling"]["name"] == mine["ringing"]["name"] == mine["accepted"]["name"] == "bob"
    assert mine["endpoint"] == {
        "event": "endpoint", "name": "bob", "host": "127.0.0.1", "port": mine["endpoint"]["port"],
    }  # fmt: skip
    assert mine["connected"]["there"] == f"127.0.0.1:{mine['endpoint']['port']}"
    assert mine["delivered"]["upto"] == 1
    assert mine["bye"]["from"] == "bob"
    assert mine["ended"] == {"event": "ended", "said": 1, "heard": 0}


def test_errors_are_json_and_a_line(household: Household) -> None:
    """Programs read the status; people read the line."""
    alice = household.run("alice", "call", "nobody", "--json")
    assert alice.wait() == 3
    error = objects(alice)[-1]
    assert error["event"] == "error"
    assert error["status"] == 3
    assert alice.stderr_lines == [f"landline: {error['say']}"]


def test_the_other_breaks_off(household: Household) -> None:
    """Status 7 at once, although stdin is still open."""
    bob = household.wait("bob", "--once")
    alice = household.start("alice", "call", "bob", "--redial", "0")
    alice.expect_error_line("bob accepted")
    bob.kill()
    bob.wait()
    assert alice.wait() == 7
    assert alice.stderr_lines[-1].startswith("landline: the conversation broke off")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_conversation(household: Household, number: signal.Signals) -> None:
    """The other hears bye; the status says which signal it was."""
    bob = household.wait("bob", "--once")
    alice = household.start("alice", "call", "bob")
    alice.expect_error_line("bob accepted")
    alice.signal(number)
    bob.expect_error_line("alice said bye")
    bob.close_stdin()
    assert (alice.wait(), bob.wait()) == (128 + number, 0)


def test_nobody_reads_stdout(household: Household) -> None:
    """It ends quietly with status 1, and what came is in the history."""
    script = f"{LANDLINE} wait --accept --once; echo status $? >&2"
    argv = ["/bin/sh", "-c", f"({script}) | head -n 1"]
    bob = household.children.start_program(argv, env=household.settings("bob"))
    bob.expect_error_line("waiting for callers")
    alice = household.start("alice", "call", "bob")
    alice.send_line("one")
    bob.expect_line("^one$")
    alice.send_line("two")
    alice.send_line("three")
    alice.close_stdin()
    alice.wait()
    bob.expect_error_line("^status 1$")
    assert bob.wait() == 0
    assert not [line for line in bob.stderr_lines if "Traceback" in line or "BrokenPipe" in line]
    history = household.run("bob", "history", "alice", "--json")
    assert [each["text"] for each in objects(history)][:2] == ["one", "two"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_output_is_nowhere(household: Household, closed: str) -> None:
    """A service manager may close that, too."""
    argv = ["/bin/sh", "-c", f"exec {LANDLINE} who {closed}"]
    alice = household.children.start_program(argv, env=household.settings("alice"))
    assert alice.wait() == 0, alice.transcript()
    assert not alice.stderr_lines


def test_closed_stdin_is_an_empty_one(household: Household) -> None:
    """A service manager may close it."""
    bob = household.wait("bob", "--once")
    bob.close_stdin()
    argv = ["/bin/sh", "-c", f"exec {LANDLINE} call bob <&-"]
    alice = household.children.start_program(argv, env=household.settings("alice"))
    assert (alice.wait(), bob.wait()) == (0, 0)


def test_a_cut_is_told_and_nothing_is_lost(household: Household) -> None:
    """One quiet line for people, an event for programs; one can go on meanwhile."""
    with household.wait_behind_proxy("bob", "--once", "--json") as (bob, proxy):
        alice = household.start("alice", "call", "bob")
        alice.send_line("before")
        bob.expect_line("before")
        proxy.refuse()
        alice.expect_error_line("^reconnecting…$")
        bob.expect_line('"reconnecting"')
        alice.send_line("meanwhile")
        proxy.admit()
        alice.expect_error_line("^back$")
        bob.expect_line("meanwhile")
        alice.close_stdin()
        bob.close_stdin()
        assert (alice.wait(), bob.wait()) == (0, 0)
    told = [each for each in objects(bob) if str(each["event"]).startswith("recon")]
    assert told == [
        {"event": "reconnecting", "name": "alice"},
        {"event": "reconnected", "name": "alice"},
    ]
    texts = [each["text"] for each in objects(bob) if each["event"] == "message"]
    assert texts == ["before", "meanwhile"]
    assert not [line for line in alice.stderr_lines if "lost" in line]


PIECES = (b"plain", b"\r", b"", b"\x00\x1b[2J\x7f", "ünïcödé ✓ \u2028".encode(), b"x" * 20_000)


def octets(count: int, mark: bytes) -> bytes:
    """Return many lines of all kinds, none like another."""
    lines = (b"%s %d %s" % (mark, n, PIECES[n % len(PIECES)]) for n in range(count))
    return b"".join(line + b"\n" for line in lines)


def test_a_pipe_is_lossless_across_cuts(household: Household) -> None:
    """Byte for byte, both ways at once, however often the connection is cut."""
    mine, theirs = octets(1_200, b"alice"), octets(800, b"bob")
    said = household.path / "said"
    for name, content in (("mine", mine), ("theirs", theirs)):
        (household.path / name).write_bytes(content)
    with household.wait_behind_proxy("bob", "--once") as (bob, proxy):
        script = f"exec {LANDLINE} call bob < '{household.path / 'mine'}' > '{said}'"
        env = household.settings("alice")
        alice = household.children.start_program(["/bin/sh", "-c", script], env=env)
        alice.expect_error_line("bob accepted")
        proxy.cut()
        alice.expect_error_line("^reconnecting…$")
        for line in theirs.decode().split("\n")[:-1]:
            bob.send_line(line)
            if line.startswith("bob 300 "):
                proxy.cut()
        bob.close_stdin()
        assert (alice.wait(), bob.wait()) == (0, 0)
        assert said.read_bytes() == theirs
    history = objects(household.run("bob", "history", "alice", "--json"))
    texts = [each["text"] for each in history if each["from"] == "alice"]
    assert texts == mine.decode().split("\n")[:-1]


MEBIBYTE = 1_048_576
STUCK_S = 1.0


class Flow:
    """Lines that go into one pipe and come out of another, as far as they are taken."""

    def __init__(self, into: int, out: int) -> None:
        self._into = into
        self._out = out
        self._rest = b""
        self._number = 0
        self.written = 0
        self._said = hashlib.sha256()
        self._heard = hashlib.sha256()

    def feed(self, upto: int, *, read: bool) -> None:
        """Write up to so many octets, or until nothing has moved for a while."""
        while self.written < upto:
            readable, writable, _ = select.select(
                [self._out] if read else [], [self._into], [], STUCK_S
            )
            if not readable and not writable:
                return
            if readable:
                self._heard.update(os.read(self._out, MEBIBYTE))
            if writable:
                self._write()

    def end(self) -> bool:
        """Say no more, read the rest, and return whether all came as it was said."""
        os.set_blocking(self._into, True)
        os.write(self._into, self._rest)
        self._said.update(self._rest)
        os.close(self._into)
        os.set_blocking(self._out, True)
        while octets := os.read(self._out, MEBIBYTE):
            self._heard.update(octets)
        return self._said.digest() == self._heard.digest()

    def _write(self) -> None:
        if not self._rest:
            lines = range(self._number, self._number + 1_000)
            self._rest = b"".join(b"%099d\n" % number for number in lines)
            self._number += 1_000
        sent = os.write(self._into, self._rest)
        self._said.update(self._rest[:sent])
        self._rest = self._rest[sent:]
        self.written += sent


def test_who_reads_slowly_slows_who_speaks(household: Household) -> None:
    """Nothing piles up in memory: the producer waits, and goes on when it is read."""
    for name in ("in", "out"):
        os.mkfifo(household.path / name)
    out = os.open(household.path / "out", os.O_RDONLY | os.O_NONBLOCK)
    script = f"exec {LANDLINE} wait --accept --once < /dev/null > '{household.path / 'out'}'"
    env = household.settings("bob")
    bob = household.children.start_program(["/bin/sh", "-c", script], env=env)
    bob.expect_error_line("waiting for callers")
    into = os.open(household.path / "in", os.O_RDWR | os.O_NONBLOCK)
    script = f"exec {LANDLINE} call bob < '{household.path / 'in'}'"
    env = household.settings("alice")
    alice = household.children.start_program(["/bin/sh", "-c", script], env=env)
    bob.expect_error_line("talking with alice")
    flow = Flow(into, out)
    flow.feed(64 * MEBIBYTE, read=False)
    assert flow.written < 16 * MEBIBYTE
    before = [psutil.Process(child.pid).memory_info().rss for child in (alice, bob)]
    flow.feed(48 * MEBIBYTE, read=True)
    after = [psutil.Process(child.pid).memory_info().rss for child in (alice, bob)]
    assert flow.written >= 48 * MEBIBYTE
    assert max(b - a for a, b in zip(before, after, strict=True)) < 24 * MEBIBYTE
    assert flow.end()
    os.close(out)
    assert (alice.wait(), bob.wait()) == (0, 0)
