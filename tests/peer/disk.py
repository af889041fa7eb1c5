"""A small disk of a test's own, which can be full or read-only. Needs root."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OCTETS = 1_048_576


@contextmanager
def mounted(path: Path, octets: int = OCTETS) -> Iterator[Path]:
    """Hold a disk of so many octets at a path that does not exist yet."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    path.mkdir()
    options = f"size={octets},mode=0700"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=False)
    if done.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def forbid_writing(path: Path) -> None:
    """Make the disk read-only."""
    subprocess.run(["mount", "-o", "remount,ro", path], check=True)


def fill(path: Path) -> None:
    """Leave no room on the disk."""
    with (path / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4_096)
        except OSError:
            return
