"""The demonstration, and that nothing is left of it."""

from __future__ import annotations

import json
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.peer.cli.household import Household
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = (
    "a broker runs on SQLite",
    "assigned port",
    "alice is logged in",
    "bob, a process of his own",
    "the broker says that bob is at 127.0.0.1:",
    "connected straight from 127.0.0.1:",
    "bob accepted",
)


@pytest.fixture
def place(household: Household) -> Iterator[Path]:
    """Where the demonstration makes its directory; empty again in the end."""
    place = household.path / "tmp"
    place.mkdir()
    yield place
    assert list(place.iterdir()) == []


def test_it_holds_itself(household: Household, place: Path) -> None:
    """With nothing on stdin it says what happens, and alice and bob talk."""
    child = household.run("nobody", "demo", env={"TMPDIR": str(place)})
    assert child.wait() == 0
    assert child.stdout_lines == [
        "Hello, bob!",
        "Nobody between us can read this.",
        "That was all. Bye!",
    ]
    for step in STEPS:
        child.expect_error_line(step)
    child.expect_error_line("alice: Hello, bob!")
    child.expect_error_line("the conversation is over: 3 messages sent, 3 received")


def test_lines_of_stdin(household: Household, place: Path) -> None:
    """Bob repeats them."""
    child = household.start("nobody", "demo", env={"TMPDIR": str(place)})
    child.send_line("one")
    child.expect_line("^one$")
    child.send_line("two")
    child.close_stdin()
    assert child.wait() == 0
    assert child.stdout_lines == ["one", "two"]


def test_on_a_terminal(household: Household, place: Path) -> None:
    """The keyboard is handed over."""
    demo = household.terminal("nobody", "demo", env={"TMPDIR": str(place), "NO_COLOR": "1"})
    for step in STEPS:
        demo.until(re.escape(step))
    demo.until("talking with bob")
    demo.send("anybody there?\r")
    demo.until(r"bob: anybody there\?")
    demo.send("bye\r")
    status, rest = demo.finish()
    assert status == 0
    assert "the conversation is over: 1 message sent, 1 received" in rest
    assert rest.index("alice: anybody there? ✓") < rest.index("bob: anybody there?")


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (signal.SIGINT, "a broker runs"),
        (signal.SIGTERM, "bob, a process of his own"),
        (signal.SIGHUP, "bob accepted"),
    ],
)
def test_a_signal_ends_everything(
    household: Household, place: Path, number: signal.Signals, step: str
) -> None:
    """At whatever step: both processes end, and the directory goes."""
    child = household.start("nobody", "demo", env={"TMPDIR": str(place)})
    child.expect_error_line(step)
    others = psutil.Process(child.pid).children()
    assert len(others) == 2
    child.signal(number)
    assert child.wait() == 128 + number
    assert not any(other.is_running() for other in others)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_starts(
    household: Household, place: Path, number: signal.Signals
) -> None:
    """As soon as there is a directory, it goes, and so does what has been started."""
    child = household.start("nobody", "demo", env={"TMPDIR": str(place)})
    wait_until(lambda: list(place.iterdir()), "there is a directory")
    child.signal(number)
    assert child.wait() == 128 + number
    assert _in(place) == []


def test_impatience(household: Household, place: Path) -> None:
    """Signals that come while it cleans up change nothing."""
    child = household.start("nobody", "demo", env={"TMPDIR": str(place)})
    child.expect_error_line("bob, a process of his own")
    others = psutil.Process(child.pid).children()
    child.signal(signal.SIGTERM)
    wait_until(lambda: not all(other.is_running() for other in others), "one has ended")
    child.signal(signal.SIGINT)
    child.signal(signal.SIGHUP)
    assert child.wait() == 128 + signal.SIGTERM
    assert _in(place) == []


def test_a_broker_that_does_not_start(household: Household, place: Path) -> None:
    """One line says so and why."""
    broken = household.path / "broken"
    broken.mkdir()
    (broken / "landline_broker.py").write_text("raise SystemExit('no broker today')")
    env = {"TMPDIR": str(place), "PYTHONPATH": str(broken)}
    child = household.run("nobody", "demo", env=env)
    assert child.wait() == 1
    assert child.stderr_lines == [
        "landline: the broker of the demonstration did not start: no broker today"
    ]


def test_bob_goes_away(household: Household, place: Path) -> None:
    """He is sought until there has been enough of it, and still everything is cleaned up."""
    child = household.start("nobody", "demo", env={"TMPDIR": str(place)})
    child.send_line("one")
    child.expect_line("^one$")
    [bob] = [
        each
        for each in psutil.Process(child.pid).children()
        if "landline.cli.bob" in each.cmdline()
    ]
    bob.kill()
    child.expect_error_line("^reconnecting…$")
    child.signal(signal.SIGINT)
    assert child.wait() == 130
    wait_until(lambda: not bob.is_running(), "bob has ended")


def test_chaos(household: Household, place: Path) -> None:
    """What was cut is counted, and everything that was said has been received."""
    env = {"TMPDIR": str(place)}
    child = household.run("nobody", "demo", "--chaos", "--seconds", "3", "--json", env=env)
    assert child.wait() == 0, child.transcript()
    assert child.stderr_lines == []
    events = [json.loads(line) for line in child.stdout_lines]
    counted = [each for each in events if each["event"] == "counted"]
    assert len(counted) >= 2
    last = counted[-1]
    assert last == events[-1]
    assert last["sent"] == last["delivered"] > 0
    assert last["cuts"] > 0
    assert last["lost"] == last["doubled"] == last["disordered"] == 0


def test_chaos_on_a_terminal(household: Household, place: Path) -> None:
    """One line is written anew; the last one stays."""
    env = {"TMPDIR": str(place)}
    demo = household.terminal("nobody", "demo", "--chaos", "--seconds", "1.5", env=env)
    demo.until("a proxy that will cut the connection")
    demo.until("[1-9][0-9,]* delivered, [1-9]")
    status, rest = demo.finish()
    assert status == 0
    last = rest.splitlines()[-1]
    assert last.endswith("; 0 lost, 0 doubled, 0 out of order")
    assert rest.count("delivered") == 1


def test_a_signal_ends_the_chaos(household: Household, place: Path) -> None:
    """In the middle of it, and nothing is left."""
    child = household.start("nobody", "demo", "--chaos", env={"TMPDIR": str(place)})
    child.expect_error_line(r"delivered, \d+ cut")
    others = psutil.Process(child.pid).children()
    child.signal(signal.SIGINT)
    assert child.wait() == 130
    assert not any(other.is_running() for other in others)


def test_seconds_without_chaos(household: Household, place: Path) -> None:
    """It is a slip."""
    child = household.run("nobody", "demo", "--seconds", "3", env={"TMPDIR": str(place)})
    assert child.wait() == 2
    assert "--seconds goes with --chaos only" in child.stderr_lines[-1]


def _in(place: Path) -> list[psutil.Process]:
    """Return the processes of the demonstration that run below a place."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if place in Path(process.cwd()).parents:
                found.append(process)
    return found
