"""A child process is driven by lines, and nothing of it survives its test."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.children import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.children import Child, Children

ECHO = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    print("got", line.strip(), flush=True)
print("end of input", file=sys.stderr)
sys.exit(7)
"""

DEAF = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
sys.stdin.read()
signal.pause()
"""


def start(children: Children, source: str) -> Child:
    return children.start_program([sys.executable, "-c", textwrap.dedent(source)])


def test_lines_go_in_and_come_out(children: Children) -> None:
    child = start(children, ECHO)
    child.expect_line("^ready$")
    child.send_line("one")
    child.send_line("two é")
    assert child.expect_line(r"got (t\w+) (.)").groups() == ("two", "é")
    child.close_stdin()
    child.expect_error_line("end of input")
    assert child.wait() == 7
    assert child.stdout_lines == ["ready", "got one", "got two é"]


def test_a_line_is_expected_once(children: Children) -> None:
    child = start(children, ECHO)
    child.send_line("one")
    child.expect_line("one")
    with pytest.raises(AssertionError, match=r"no 'one' on stdout of .*\n(.|\n)*got one"):
        child.expect_line("one", deadline=0.1)


def test_a_line_that_cannot_come_any_more_fails_at_once(children: Children) -> None:
    child = start(children, "print('only this')")
    with pytest.raises(AssertionError, match="ended without 'else'"):
        child.expect_line("else", deadline=50)


def test_a_child_that_goes_on_fails_the_wait(children: Children) -> None:
    child = start(children, ECHO)
    with pytest.raises(AssertionError, match=r"still running after 0\.1 s"):
        child.wait(deadline=0.1)


def test_stopping_ends_a_child_that_ignores_it_and_one_that_sleeps(children: Children) -> None:
    deaf = start(children, DEAF)
    deaf.expect_line("ready")
    assert deaf.stop(deadline=0.1) == -signal.SIGKILL
    assert deaf.stop() == -signal.SIGKILL
    asleep = start(children, ECHO)
    asleep.expect_line("ready")
    asleep.signal(signal.SIGSTOP)
    assert asleep.stop() == -signal.SIGTERM
    assert not psutil.pid_exists(asleep.pid)


def test_a_child_finds_no_setting_of_the_user(
    children: Children, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LANDLINE_HOME", "/nowhere")
    child = children.start_program(
        [sys.executable, "-c", "import os; print(sorted(os.environ.items()))"],
        env={"LANDLINE_BROKER": "landline://host"},
    )
    child.wait()
    (line,) = child.stdout_lines
    assert "LANDLINE_HOME" not in line
    assert "('LANDLINE_BROKER', 'landline://host')" in line
    assert f"('HOME', '{tmp_path}{os.sep}" in line


@pytest.mark.parametrize("name", ["landline", "landline-broker"])
def test_the_commands_are_installed_beside_python(name: str) -> None:
    assert os.access(command(name), os.X_OK)
