"""The key is made once, for its owner's eyes only, and read ever after."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from landline_broker import keys
from landline_broker.keys import DataDirError, load_or_make_keys, prepare_data_dir

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_and_its_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert not prepare_data_dir(folder)
    load_or_make_keys(folder)
    keys.write_invite(folder, "landline://x")
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        keys.KEY_FILE: 0o600,
        keys.INVITE_FILE: 0o600,
    }


def test_the_key_stays_and_its_secret_stays_hidden(tmp_path: Path) -> None:
    first = load_or_make_keys(tmp_path)
    assert load_or_make_keys(tmp_path) == first
    assert len(first.octets) == 32
    assert first.secret.decode() not in repr(first)


def test_brokers_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load_or_make_keys, [tmp_path] * 8))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [keys.KEY_FILE]


def test_an_empty_or_a_brokers_own_directory_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    assert prepare_data_dir(folder)
    load_or_make_keys(folder)
    folder.chmod(0o750)
    assert prepare_data_dir(folder)
    assert mode(folder) == 0o700
    assert not prepare_data_dir(folder)


def test_a_directory_with_other_files_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    (folder / "file").touch()
    with pytest.raises(DataDirError, match=r"chmod 700"):
        prepare_data_dir(folder)
    assert mode(folder) == 0o755


@pytest.mark.parametrize("octets", [b"", b"short", b"\xff" * 40])
def test_a_file_that_holds_no_key_is_not_replaced(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / keys.KEY_FILE).write_bytes(octets)
    with pytest.raises(DataDirError, match="holds no key"):
        load_or_make_keys(tmp_path)
    assert (tmp_path / keys.KEY_FILE).read_bytes() == octets


def test_a_path_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "below"
    for use in (prepare_data_dir, load_or_make_keys, keys.read_invite):
        with pytest.raises(DataDirError, match="file/below"):
            use(path)
    with pytest.raises(DataDirError, match="--data-dir"):
        keys.write_invite(path, "x")


def test_the_invite_is_remembered(tmp_path: Path) -> None:
    with pytest.raises(DataDirError, match="landline-broker serve"):
        keys.read_invite(tmp_path)
    for invite in ("landline://one", "landline://two"):
        keys.write_invite(tmp_path, invite)
        assert keys.read_invite(tmp_path) == invite
