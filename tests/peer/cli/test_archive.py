"""``history --export`` and ``history --delete``."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.peer.cli.test_listing import talk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peer.cli.household import Household, Terminal


def texts(household: Household, *arguments: str) -> set[str]:
    """Return the texts of alice's history."""
    shown = household.run("alice", "history", *arguments, "--json").stdout_lines
    return {json.loads(line)["text"] for line in shown}


def test_an_export_is_the_history_as_json(household: Household, tmp_path: Path) -> None:
    """It is narrowed as the history is, and only its owner can read it."""
    talk(household, b"one\n\xf0\x9f\x93\x9e\n")
    file = tmp_path / "bob.jsonl"
    child = household.run("alice", "history", "bob", "--export", str(file))
    assert child.wait() == 0
    assert child.stderr_lines == [f"3 messages written to {file}"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = household.run("alice", "history", "bob", "--json").stdout_lines
    assert file.read_text("ascii").splitlines() == shown
    one = tmp_path / "one.jsonl"
    narrowed = household.run("alice", "history", "--search", "one", "--export", str(one), "--json")
    assert [json.loads(line) for line in narrowed.stdout_lines] == [
        {"event": "exported", "file": str(one), "count": 1}
    ]
    assert json.loads(one.read_text())["text"] == "one"


def test_an_export_replaces_a_file_only_by_force(household: Household, tmp_path: Path) -> None:
    """What is behind a link is replaced, and the link stays."""
    talk(household, b"one\n")
    file, link = tmp_path / "mine", tmp_path / "link"
    file.write_text("precious")
    file.chmod(0o644)
    link.symlink_to(file)
    child = household.run("alice", "history", "--export", str(link))
    assert child.wait() == 2
    assert "--force" in child.stderr_lines[0]
    assert file.read_text() == "precious"
    assert household.status("alice", "history", "--export", str(link), "--force") == 0
    assert len(file.read_text().splitlines()) == 2
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["folder", "pipe", "nowhere"])
def test_what_is_no_file_is_never_replaced(household: Household, tmp_path: Path, kind: str) -> None:
    """One line says so, and nothing is left behind."""
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path /= "file"
    before = sorted(tmp_path.iterdir())
    child = household.run("alice", "history", "--export", str(path), "--force")
    assert child.wait() == (1 if kind == "nowhere" else 2)
    assert len(child.stderr_lines) == 1
    assert str(path) in child.stderr_lines[0]
    assert sorted({*tmp_path.iterdir()} - {tmp_path / "alice"}) == before


def asked(household: Household, answer: str, *arguments: str) -> Terminal:
    terminal = household.terminal("alice", "history", *arguments, "--delete")
    terminal.expect_plain("[y/N]")
    terminal.sendline(answer)
    return terminal


def test_deleting_is_asked_first(household: Household) -> None:
    """And done when the answer is yes."""
    talk(household, b"one\n")
    status, shown = asked(household, "", "bob").finish()
    assert status == 0
    assert "what you and bob said" in shown
    assert "nothing was deleted" in shown
    assert texts(household) == {"one", "from bob"}
    status, shown = asked(household, "y").finish()
    assert status == 0
    assert "2 messages deleted" in shown
    assert texts(household) == set()


def test_deleting_without_anybody_to_ask(household: Household) -> None:
    """It is not done unless --yes says that it is meant."""
    talk(household, b"one\n")
    child = household.run("alice", "history", "bob", "--delete")
    assert child.wait() == 2
    assert "--yes" in child.stderr_lines[0]
    assert texts(household) == {"one", "from bob"}
    child = household.run("alice", "history", "bob", "--delete", "--yes", "--json")
    assert [json.loads(line) for line in child.stdout_lines] == [{"event": "deleted", "count": 2}]
    assert texts(household) == set()


def test_deleting_what_is_older(household: Household) -> None:
    """And only with whom it was said."""
    talk(household, b"one\n")
    for arguments in (["--before", "1h"], ["carol"]):
        child = household.run("alice", "history", *arguments, "--delete", "--yes")
        assert child.stderr_lines == ["0 messages deleted"]
    assert texts(household) == {"one", "from bob"}
    child = household.run("alice", "history", "--before", "2999-01-01", "--delete", "--yes")
    assert child.stderr_lines == ["2 messages deleted"]


def test_what_is_not_delivered_is_not_deleted(household: Household) -> None:
    """It stays in the outbox, and that is said."""
    assert household.status("alice", "send", "bob", "not yet") == 0
    kept = "0 messages deleted; what is not delivered yet is kept"
    for name in ([], ["bob"]):
        child = household.run("alice", "history", *name, "--delete", "--yes")
        assert child.stderr_lines == [kept]
    child = household.run("alice", "history", "carol", "--delete", "--yes")
    assert child.stderr_lines == ["0 messages deleted"]
    assert texts(household) == {"not yet"}
