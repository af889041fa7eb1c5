"""What goes wrong is one line on stderr and a status; a traceback only when asked for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import click
import pytest

from landline.cli.ending import Interrupted, Terminated, Undisturbed, status_of
from landline.errors import Declined, LandlineError
from tests.peer.cli.household import LANDLINE, Household
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType


@pytest.fixture(autouse=True)
def own_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the signal handlers and the streams of the test run alone."""
    monkeypatch.setattr("landline.cli.ending._prepare_signals", lambda: None)
    monkeypatch.setattr("landline.cli.ending._release_streams", lambda: None)


def raising(error: BaseException) -> Callable[[], object]:
    def command() -> object:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (Declined("bob declined"), 6, "landline: bob declined\n"),
        (LandlineError("\x1b[2Jtwo\nlines"), 1, "landline: ␛[2Jtwo␊lines\n"),
        (click.UsageError("no such thing."), 2, "landline: no such thing (see: landline --help)\n"),
        (click.FileError("x", "gone"), 1, "landline: Could not open file 'x': gone\n"),
        (Interrupted(), 130, "landline: interrupted\n"),
        (click.Abort(), 130, "landline: interrupted\n"),
        (Terminated(143), 143, ""),
        (BrokenPipeError(), 1, ""),
        (OSError(28, "No space left on device", "f"), 1, "landline: f: No space left on device;"),
        (
            KeyError("x"),
            1,
            "landline: unexpected KeyError: 'x'; to see where, run again with --debug",
        ),
    ],
)
def test_every_error_is_one_line(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, line: str
) -> None:
    """And it has its status."""
    assert status_of(raising(error), lambda: False) == status
    said = capsys.readouterr().err
    assert said.startswith(line) if line else said == ""
    assert said.count("\n") == (1 if line else 0)


@pytest.mark.parametrize("error", [Declined("bob declined"), KeyError("x")])
def test_debug_shows_where(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    """The line is still the last."""
    status_of(raising(error), lambda: True)
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].startswith("landline: ")


class _Came(Exception):
    """A signal did what it does."""


@pytest.fixture
def ending_signal() -> Iterator[signal.Signals]:
    """A signal that raises."""

    def came(_: int, __: FrameType | None) -> None:
        raise _Came

    before = signal.signal(signal.SIGHUP, came)
    yield signal.SIGHUP
    signal.signal(signal.SIGHUP, before)


def test_signal_waits_for_the_end_of_the_block(ending_signal: signal.Signals) -> None:
    """It cuts nothing short, and is not lost; afterwards it does what it did before."""
    done = []

    def make() -> None:
        with Undisturbed():
            signal.raise_signal(ending_signal)
            done.append(True)

    with pytest.raises(_Came):
        make()
    assert done
    with pytest.raises(_Came):
        signal.raise_signal(ending_signal)


def test_signal_waits_to_be_let_in(ending_signal: signal.Signals) -> None:
    """It comes where it is let in, whether it came before or comes then."""
    with Undisturbed() as undisturbed:
        signal.raise_signal(ending_signal)
        with pytest.raises(_Came), undisturbed.disturbed():
            pytest.fail("it was not let in")
        with pytest.raises(_Came), undisturbed.disturbed():
            signal.raise_signal(ending_signal)


def test_error_of_the_block_is_the_one_to_be_seen(ending_signal: signal.Signals) -> None:
    """A signal that comes while an error is on its way out changes nothing."""

    def fail() -> None:
        signal.raise_signal(ending_signal)
        raise KeyError

    with pytest.raises(KeyError), Undisturbed():
        fail()


def test_ignored_signal_stays_ignored(ending_signal: signal.Signals) -> None:
    """As under nohup."""
    signal.signal(ending_signal, signal.SIG_IGN)
    with Undisturbed() as undisturbed, undisturbed.disturbed():
        signal.raise_signal(ending_signal)
    assert signal.getsignal(ending_signal) is signal.SIG_IGN


def test_debug_is_an_option(household: Household) -> None:
    """It can stand after the command."""
    child = household.run("alice", "call", "nobody", "--debug")
    assert child.wait() == 3
    assert any(line.startswith("Traceback") for line in child.stderr_lines)


def test_broker_that_is_not_there(household: Household) -> None:
    """Status 5, and what to check."""
    key = household.invite.partition("?")[2]
    nowhere = f"landline://127.0.0.1:{free_port()}/?{key}"
    child = household.run("alice", "who", "--broker", nowhere)
    assert child.wait() == 5
    [line] = child.stderr_lines
    assert "check that it runs" in line


def test_wrong_broker(household: Household) -> None:
    """Another key than the invite's is another broker."""
    other = re.sub("key=.*", "key=Aj3U6FfGKvsSsa0kxIVZzBbvHBmdWFw5pKX2iyT7BWU", household.invite)
    child = household.run("alice", "who", "--broker", other)
    assert child.wait() == 5
    assert "ask for a new invite" in child.stderr_lines[0]


def test_two_processes_at_one_home(household: Household) -> None:
    """The second is told which the first is."""
    bob = household.wait("bob")
    child = household.run("bob", "call", "alice")
    assert child.wait() == 1
    assert f"process {bob.pid}" in child.stderr_lines[-1]
    assert household.status("bob", "who") == 0
    bob.stop()


def test_home_that_is_a_file(household: Household) -> None:
    """The line names it."""
    path = household.path / "file"
    path.touch()
    for home in (path, path / "below"):
        child = household.run("alice", "--home", str(home), "who")
        assert child.wait() in {1, 2}
        [line] = child.stderr_lines
        assert str(path) in line


def test_home_without_permission(household: Household) -> None:
    """Nothing can be written there, and the line says so."""
    child = household.run("alice", "--home", "/proc/landline", "who")
    assert child.wait() == 1
    assert "/proc/landline" in child.stderr_lines[0]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A tiny file system."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_disk_that_is_full(household: Household, full_disk: Path) -> None:
    """Nothing is said that could not be kept."""
    home = full_disk / "alice"
    home.mkdir()
    for file in household.home("alice").iterdir():
        (home / file.name).write_bytes(file.read_bytes())
    bob = household.wait("bob", "--once")
    lines = b"".join(b"%06d " % number + b"x" * 90 + b"\n" for number in range(5_000))
    alice = household.start_with("alice", lines, "--home", str(home), "call", "bob")
    assert alice.wait() == 1
    assert "make room" in alice.stderr_lines[-1]
    assert bob.wait() == 7


def test_stderr_that_nobody_reads(household: Household) -> None:
    """The status still tells."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        settings = household.settings("alice")
        ended = subprocess.run(
            [LANDLINE, "who", "nobody"],
            check=False,
            stderr=writing,
            env=os.environ | settings,
            timeout=30,
        )
    finally:
        os.close(writing)
    assert ended.returncode == 3
