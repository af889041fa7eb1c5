"""The directory that holds all files of one peer.

Makes it, locks it, and keeps the device key and what is remembered of the
broker. Files are 0600, the directory 0700. It opens no socket and no journal.
"""

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from landline.errors import HomeInUse, HomeUnusable
from landline.places import default_home
from landline_protocol.invite import Invite
from landline_protocol.limits import KEY_OCTETS


class Remembered(msgspec.Struct, frozen=True):
    """What the home knows after the first success: the broker, and who is logged in."""

    broker: str | None = None
    name: str | None = None


class Home:
    """All files of one peer, below one directory.

    Raises:
        HomeUnusable: it is no directory, or it cannot be read or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_home() if path is None else _expanded(path)
        with _explained(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
                self.path.chmod(0o700)

    def secret(self, fresh: Callable[[], bytes]) -> bytes:
        """Return this device's secret key; the first use makes a ``fresh`` one."""
        path = self.path / "device.key"
        with _explained(path):
            if not path.exists():
                _write_new(path, fresh())
            secret = path.read_bytes()
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                path.chmod(0o600)
        if len(secret) != KEY_OCTETS:
            raise HomeUnusable(
                f"{path} is damaged; move it away and log in again to make a new device key"
            )
        return secret

    @property
    def remembered(self) -> Remembered:
        """What is remembered; nothing, when the file is missing."""
        path = self._state
        with _explained(path):
            if not path.exists():
                return Remembered()
            octets = path.read_bytes()
        try:
            return msgspec.json.decode(octets, type=Remembered)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise HomeUnusable(f"{path} is damaged; remove it and log in again") from None

    def remember(self, remembered: Remembered) -> None:
        """Write what is to be remembered, if it is news."""
        if remembered == self.remembered:
            return
        with _explained(self._state):
            _replace(self._state, msgspec.json.encode(remembered))

    def journal(self, name: str, broker: Invite) -> Path:
        """Return where the journal of this user at this broker is kept."""
        mark = hashlib.sha256(broker.key).hexdigest()[:12]
        return self.path / f"journal-{name}-{mark}.sqlite3"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from talking from this home meanwhile.

        Raises:
            HomeInUse: one already does.
        """
        path = self.path / "lock"
        with ExitStack() as resources:
            with _explained(path):
                lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                resources.callback(os.close, lock)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise HomeInUse(_in_use(self.path, lock)) from None
                os.ftruncate(lock, 0)
                os.write(lock, b"%d" % os.getpid())
            yield

    @property
    def _state(self) -> Path:
        return self.path / "state.json"


def _in_use(path: Path, lock: int) -> str:
    holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
    return (
        f"another landline already talks from {path} (process {holder});"
        " end it, or use another --home"
    )


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise HomeUnusable(f"{path}: there is no such user; name another --home") from None


def _write_new(path: Path, octets: bytes) -> None:
    """Write a file that must not exist; of two processes that try, one wins."""
    temporary = _write_beside(path, octets)
    try:
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def _replace(path: Path, octets: bytes) -> None:
    _write_beside(path, octets).replace(path)


def _write_beside(path: Path, octets: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink()
        raise
    return temporary


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HomeUnusable(
            f"cannot use {path}: {error.strerror}; make room or mend the permissions,"
            " or name another --home"
        ) from error
