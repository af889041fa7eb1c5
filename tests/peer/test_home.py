"""The home: made, locked, read, and every way in which it cannot be used."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline.device import device_key
from landline.errors import HomeInUse, HomeUnusable
from landline.home import Home, Remembered
from landline_protocol.invite import Invite
from tests.peer.disk import fill, forbid_writing, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.children import Children

INVITE = Invite("127.0.0.1", 7720, b"\1" * 32)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "deep" / "home")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_and_its_files_are_the_owners_alone(home: Home) -> None:
    device_key(home)
    home.remember(Remembered("landline://x", "alice"))
    with home.locked():
        assert mode(home.path) == 0o700
        for file in home.path.iterdir():
            assert mode(file) == 0o600


def test_what_is_remembered_comes_back(home: Home) -> None:
    assert home.remembered == Remembered()
    home.remember(Remembered("landline://x", "alice"))
    home.remember(Remembered("landline://x", "alice"))
    assert Home(home.path).remembered == Remembered("landline://x", "alice")


@pytest.mark.parametrize(
    "octets", [b"", b"{", b"[]", b'{"name":7}', b'{"broker":"\xff"}', b"\xff", b"[" * 100_000]
)
def test_a_damaged_state_is_named(home: Home, octets: bytes) -> None:
    (home.path / "state.json").write_bytes(octets)
    with pytest.raises(HomeUnusable, match=r"state\.json is damaged; remove it"):
        home.remembered  # noqa: B018 - reading it is the test


def test_a_file_in_place_of_the_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusable, match=r"cannot use .*file"):
        Home(tmp_path / "file")


def test_a_home_of_an_unknown_user_is_named() -> None:
    with pytest.raises(HomeUnusable, match="there is no such user"):
        Home(Path("~nobody-of-this-name/home"))


def test_one_process_at_a_time_talks_from_a_home(home: Home, children: Children) -> None:
    program = (
        "import sys; from pathlib import Path; from landline.home import Home\n"
        "with Home(Path(sys.argv[1])).locked(): print('locked', flush=True); sys.stdin.read()"
    )
    other = children.start_program([sys.executable, "-c", program, str(home.path)])
    other.expect_line("locked")
    with pytest.raises(HomeInUse, match=rf"\(process {other.pid}\)"), home.locked():
        pass
    other.kill()
    other.wait()
    with home.locked(), pytest.raises(HomeInUse, match=str(os.getpid())), Home(home.path).locked():
        pass
    with home.locked():
        pass


def test_a_lock_that_names_nobody_still_holds(home: Home) -> None:
    with home.locked():
        (home.path / "lock").write_bytes(b"")
        with pytest.raises(HomeInUse, match="process unknown"), Home(home.path).locked():
            pass


def test_journals_of_two_brokers_are_two_files(home: Home) -> None:
    other = Invite("127.0.0.1", 7720, b"\2" * 32)
    assert home.journal("alice", INVITE) != home.journal("alice", other)
    assert home.journal("alice", INVITE) != home.journal("bob", INVITE)


def test_a_disk_is_said_and_leaves_nothing_behind(disk: Path) -> None:
    home = Home(disk / "home")
    fill(disk)
    before = sorted(home.path.iterdir())
    with pytest.raises(HomeUnusable, match=r"No space left.*make room"):
        device_key(home)
    with pytest.raises(HomeUnusable, match="make room"), home.locked():
        pass
    assert sorted(home.path.iterdir())[: len(before)] == before
    assert [f.name for f in home.path.iterdir() if f.name.startswith(".")] == []


def test_a_read_only_disk_is_said(read_only_disk: Path) -> None:
    home = Home(read_only_disk / "home")
    for attempt in (lambda: device_key(home), lambda: home.remember(Remembered("x"))):
        with pytest.raises(HomeUnusable, match="Read-only file system"):
            attempt()
    with pytest.raises(HomeUnusable, match="Read-only"), home.locked():
        pass
    with pytest.raises(HomeUnusable, match="Read-only"):
        Home(read_only_disk / "other")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    with mounted(tmp_path / "disk") as path:
        yield path


@pytest.fixture
def read_only_disk(disk: Path) -> Path:
    Home(disk / "home")
    forbid_writing(disk)
    return disk
