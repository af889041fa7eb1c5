"""The device key: made once, kept to its owner, and named when it is damaged."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from landline.device import device_key
from landline.errors import HomeUnusable
from landline.home import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_modes_that_let_others_read_are_mended(home: Home) -> None:
    key = device_key(home)
    home.path.chmod(0o755)
    (home.path / "device.key").chmod(0o644)
    assert device_key(Home(home.path)) == key
    assert mode(home.path) == 0o700
    assert mode(home.path / "device.key") == 0o600


def test_the_device_key_is_made_once_and_its_secret_is_not_shown(home: Home) -> None:
    key = device_key(home)
    assert device_key(Home(home.path)) == key
    assert len(key.public) == len(key.secret) == 32
    assert repr(key.secret) not in repr(key)


@pytest.mark.parametrize("octets", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_named(home: Home, octets: bytes) -> None:
    (home.path / "device.key").write_bytes(octets)
    with pytest.raises(HomeUnusable, match=r"device\.key is damaged; move it away"):
        device_key(home)


def test_a_directory_in_place_of_the_key_is_named(home: Home) -> None:
    (home.path / "device.key").mkdir()
    with pytest.raises(HomeUnusable, match="cannot use"):
        device_key(home)
