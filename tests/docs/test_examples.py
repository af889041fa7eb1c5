"""The examples in the pages are what the commands take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from tests.docs.page import README, Page
from tests.docs.programs import command_lines, parse
from tests.support.children import Children

if TYPE_CHECKING:
    from pathlib import Path

LINES = command_lines(README) + command_lines(Page.read("CONTRIBUTING.md"))


@pytest.mark.parametrize("argv", LINES, ids=" ".join)
def test_every_command_line_in_a_block_of_code_parses(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LANDLINE_HOME", str(tmp_path))
    parse(argv, monkeypatch)


def test_a_command_line_that_is_wrong_does_not_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    for argv in (["landline", "wait", "--acept"], ["landline-broker", "serve", "--listen", "x"]):
        with pytest.raises((click.UsageError, SystemExit)):
            parse(argv, monkeypatch)


def test_all_lines_are_found() -> None:
    """Those behind a pipe, a prompt, a path and in the service's file, too."""
    found = {" ".join(argv) for argv in LINES}
    assert {
        "landline demo",
        "landline call bob",
        "landline wait --accept --once",
        "landline-broker serve --data-dir /var/lib/landline-broker",
    } <= found


def test_the_demonstration_of_the_first_command_runs(children: Children) -> None:
    """The rest of that line installs; what is installed is what this test runs."""
    first = README.section("## Two commands").blocks[0].code
    assert first.rstrip().endswith("&& .venv/bin/landline demo")
    child = children.start("landline", "demo")
    child.close_stdin()
    assert child.wait() == 0
    assert "the conversation is over" in child.stderr_lines[-1]
