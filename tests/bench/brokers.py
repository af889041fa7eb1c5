"""A broker for measurements: a process of its own, on SQLite, in a temporary directory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landline import Peer

PASSWORD = "correct horse"


@contextmanager
def serving(*options: str) -> Iterator[tuple[str, Path]]:
    """Yield the invite of a running broker and a directory for homes."""
    with tempfile.TemporaryDirectory() as name:
        command = [
            *(sys.executable, "-m", "landline_broker", "serve"),
            *("--listen", "tcp://127.0.0.1:0", "--data-dir", f"{name}/broker"),
            *("--bcrypt-cost", "4", *options),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
            try:
                ready = broker.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
                yield ready.split()[1], Path(name)
            finally:
                broker.terminate()


def register(invite: str, directory: Path, *names: str) -> None:
    """Make users, each logged in from a home of its own in the directory."""
    for name in names:
        with Peer(directory / name, invite) as peer:
            peer.register(name, PASSWORD)
            peer.login(name, PASSWORD)
