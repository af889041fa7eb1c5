"""The broker's CURVE key and the files of its data directory.

Makes them once, readable by their owner alone, and reads them again. The
secret key never leaves ``KeyPair``.
"""

import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

KEY_FILE: Final = "broker.key"
INVITE_FILE: Final = "invite"
DATABASE_FILE: Final = "broker.sqlite"


class DataDirError(Exception):
    """The data directory cannot be used; the text says what to do."""


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair in Z85."""

    public: bytes
    secret: bytes = field(repr=False)

    @property
    def octets(self) -> bytes:
        """The public key as 32 octets."""
        return z85.decode(self.public)


def prepare_data_dir(path: Path) -> bool:
    """Make the directory, or close it to others; return whether it had to be closed.

    Only a directory that is empty or a broker's is closed: the mode of any
    other, such as /tmp, is not ours to change.

    Raises:
        DataDirError
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not stat.S_IMODE(path.stat().st_mode) & 0o077:
            return False
        if not (path / KEY_FILE).exists() and any(path.iterdir()):
            raise DataDirError(
                f"{path} is open to other users and holds other files:"
                " choose another with --data-dir, or close it with chmod 700"
            )
        path.chmod(0o700)
    except OSError as error:
        raise DataDirError(_cannot(path, error)) from None
    return True


def load_or_make_keys(data_dir: Path) -> KeyPair:
    """Return the key pair of a data directory, making it the first time.

    Raises:
        DataDirError: the file cannot be read or written, or holds no key.
    """
    path = data_dir / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        secret = path.read_bytes().strip()
        path.chmod(0o600)
    except OSError as error:
        raise DataDirError(_cannot(path, error)) from None
    try:
        return KeyPair(zmq.curve_public(secret), secret)
    except (ValueError, zmq.ZMQError):
        raise DataDirError(
            f"{path} holds no key: put the file back from a backup; without it every invite changes"
        ) from None


def write_invite(data_dir: Path, invite: str) -> None:
    """Remember the invite that the latest broker of this directory gave out.

    Raises:
        DataDirError
    """
    path = data_dir / INVITE_FILE
    try:
        _draft(path, invite.encode() + b"\n").replace(path)
    except OSError as error:
        raise DataDirError(_cannot(path, error)) from None


def read_invite(data_dir: Path) -> str:
    """Return the remembered invite.

    Raises:
        DataDirError: no broker has started with this directory yet.
    """
    path = data_dir / INVITE_FILE
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        raise DataDirError(
            f"no broker has run with {data_dir} yet: start one with landline-broker serve"
        ) from None
    except OSError as error:
        raise DataDirError(_cannot(path, error)) from None


def _make(path: Path) -> None:
    _, secret = zmq.curve_keypair()
    draft = _draft(path, secret + b"\n")
    # A link, unlike a rename, never replaces the key that another broker made
    # at the same moment.
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def _draft(path: Path, octets: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(handle)
    return draft


def _cannot(path: Path, error: OSError) -> str:
    return f"{path} cannot be used: {error.strerror}; choose another with --data-dir"
