"""Finds what a test left behind: threads, child processes, sockets, open files.

A zmq context holds file descriptors from its birth, and every zmq socket adds its
own, so the descriptors of this process tell about them too. Nothing is ended here:
who started it has to end it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
import pytest
import zmq

from tests.support.waiting import poll_until

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# What ends by itself (a thread on its way out, a socket that zmq's reaper still
# closes) has this long.
GRACE = 5.0

# Process ids of servers that live as long as the session and may be restarted by a test.
session_processes: set[int] = set()

DESCRIPTORS = Path("/dev/fd")

_failed = pytest.StashKey[bool]()


@dataclass(frozen=True)
class Holdings:
    """What this process holds at one moment."""

    threads: frozenset[threading.Thread]
    children: frozenset[psutil.Process]
    descriptors: frozenset[tuple[int, str]]

    @classmethod
    def now(cls) -> Self:
        return cls(
            threads=frozenset(threading.enumerate()),
            children=frozenset(_children()),
            descriptors=frozenset(_descriptors()),
        )

    def since(self, before: Holdings) -> list[str]:
        """Return a line for each thing that is held now and was not `before`."""
        return [
            *(f"thread {t.name!r}" for t in self.threads - before.threads),
            *(f"child process {_describe(c)}" for c in self.children - before.children),
            *(f"file descriptor {n}: {to}" for n, to in self.descriptors - before.descriptors),
        ]


def leaked_since(before: Holdings, grace: float) -> list[str]:
    """Return what is still held after `grace` seconds and was not held `before`.

    The list is empty as soon as nothing is, and ends with the zmq objects that are
    open if there is anything to explain.
    """
    left = Holdings.now().since(before)

    def nothing_left() -> bool:
        left[:] = Holdings.now().since(before)
        return not left

    if not left or poll_until(nothing_left, grace):
        return []
    return [*sorted(left), *_open_zmq_objects()]


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a thread, a child process, a socket or a file open."""
    before = Holdings.now()
    yield
    if request.node.stash.get(_failed, False):
        return  # its traceback keeps alive what it held
    if leaked := leaked_since(before, GRACE):
        pytest.fail("the test left behind:\n  " + "\n  ".join(leaked), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed; see `no_leaks`."""
    report = yield
    if report.failed and report.when != "teardown":
        item.stash[_failed] = True
    return report


def _children() -> Iterator[psutil.Process]:
    for child in psutil.Process().children(recursive=True):
        if child.pid not in session_processes:
            yield child


def _describe(child: psutil.Process) -> str:
    try:
        return f"{child.pid} ({child.status()}): {' '.join(child.cmdline()) or child.name()}"
    except psutil.Error:
        return f"{child.pid} (gone)"


def _descriptors() -> Iterator[tuple[int, str]]:
    """Yield each open descriptor with what it points to, where the system tells."""
    for entry in list(DESCRIPTORS.iterdir()):
        number = int(entry.name)
        with contextlib.suppress(OSError):  # the one that listed the others is gone
            os.fstat(number)
            yield number, _target(number)


def _target(number: int) -> str:
    """Return what a descriptor points to; "open" on a system without /proc."""
    links = Path("/proc/self/fd")
    return str(links.joinpath(str(number)).readlink()) if links.is_dir() else "open"


def _open_zmq_objects() -> list[str]:
    kept = (o for o in gc.get_objects() if isinstance(o, zmq.Context | zmq.Socket))
    return [f"(open: {o!r})" for o in kept if not o.closed]
