"""Taking messages out of the history: into a file, or away for good."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from landline.cli.listing import entry
from landline.cli.output import Output, counted, encoded, interactive
from landline.errors import InvalidInput, LandlineError
from landline.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from landline.archive import Archive
    from landline.journal import Record


def export(
    held: "Archive", records: "Iterable[Record]", path: Path, output: Output, *, force: bool
) -> None:
    """Write messages to a file of its own, one JSON object a line.

    The file is there when all of it is written, and its owner alone may read it.

    Raises:
        InvalidInput: there is such a file, and ``force`` is not set.
        LandlineError: it cannot be written.
    """
    me = held.home.remembered.name or ""
    count = 0
    with _explained(path), _written(path, force=force) as file:
        for record in records:
            file.write(encoded(entry(me, record)).encode("ascii") + b"\n")
            count += 1
    output.tell(
        "exported",
        f"{counted(count, 'message')} written to {visible(str(path))}",
        file=str(path),
        count=count,
    )


def delete(
    held: "Archive", name: str | None, before: datetime | None, output: Output, *, sure: bool
) -> None:
    """Delete messages for good, once the user is sure.

    Raises:
        InvalidInput: nobody is there to ask whether they are sure.
    """
    if not sure and not _confirmed(name, before, output):
        output.notice("nothing was deleted")
        return
    count = held.forget(name, before=before)
    line = f"{counted(count, 'message')} deleted"
    if next(held.outbox(name), None) is not None:
        line += "; what is not delivered yet is kept"
    output.tell("deleted", line, count=count)


def _confirmed(name: str | None, before: datetime | None, output: Output) -> bool:
    if output.json or not interactive():
        raise InvalidInput("nobody is there to ask whether you are sure; add --yes to delete")
    what = "all that was said" if name is None else f"what you and {visible(name)} said"
    until = "" if before is None else f" before {before.astimezone():%Y-%m-%d %H:%M:%S}"
    return click.confirm(f"Delete for good, on this device, {what}{until}?", err=True)


@contextmanager
def _written(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Yield a file that takes its place at ``path`` when the block has ended well."""
    # A link stays a link: it is the file behind it that is written.
    path = path.resolve()
    if path.exists() and not (force and path.is_file()):
        again = "name another file" if not path.is_file() else "add --force, or name another file"
        raise InvalidInput(f"{path} exists and is not overwritten; {again}")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".landline-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _place(temporary, path, force=force)
    finally:
        temporary.unlink(missing_ok=True)


def _place(temporary: Path, path: Path, *, force: bool) -> None:
    if not force:
        # Of two that write at once, one wins: a file that is there is not replaced.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    temporary.replace(path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise InvalidInput(f"{path} exists and is not overwritten; name another file") from None
    except OSError as error:
        raise LandlineError(
            f"cannot write {path}: {error.strerror}; make room or mend the permissions, or name"
            " another file"
        ) from error
