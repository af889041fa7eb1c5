"""What much costs: 1 GiB of lines through the pipe, and a journal of a million messages."""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from itertools import islice
from pathlib import Path

import psutil

from landline import Peer
from landline.journal import Beginning, Journal
from landline_protocol.conversation import Outbound
from landline_protocol.frames import Text
from landline_protocol.invite import Invite
from landline_protocol.link import Role
from tests.bench.brokers import register, serving
from tests.bench.commands import ENVIRONMENT, LANDLINE, Row

GIBIBYTE = 2**30
LINE = b"x" * 1023 + b"\n"
MESSAGES = 1_000_000
STARTS = 11


def gibibyte() -> list[Row]:
    """Send 1 GiB of lines through ``call`` and ``wait``; read how much memory each takes at most."""
    with serving() as (invite, directory):
        register(invite, directory, "alice", "bob")
        with (
            (directory / "said").open("wb") as said,
            subprocess.Popen(
                [LANDLINE, "--home", str(directory / "bob"), "wait", "--accept", "--once"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
            ) as wait,
        ):
            assert wait.stderr is not None
            wait.stderr.readline()
            with subprocess.Popen(
                [LANDLINE, "--home", str(directory / "alice"), "call", "bob"],
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=ENVIRONMENT,
            ) as call:
                peaks = _Peaks(call.pid, wait.pid)
                start = time.perf_counter()
                assert call.stdin is not None
                for _ in range(GIBIBYTE // len(LINE) // 64):
                    call.stdin.write(LINE * 64)
                call.stdin.close()
                call.wait()
                wait.wait()
                took = time.perf_counter() - start
                peaks.stop()
        size = (directory / "said").stat().st_size
    calling, waiting = (f"{peak / 2**20:.0f}" for peak in peaks.most)
    return [
        ("1 GiB of lines: bytes that arrived", f"{size:,}", f"{GIBIBYTE:,}"),
        ("1 GiB of lines [MiB/s]", f"{1024 / took:.0f}", ""),
        ("1 GiB of lines: memory of call, most [MiB]", calling, "at most 60"),
        ("1 GiB of lines: memory of wait, most [MiB]", waiting, "at most 60"),
    ]


def million() -> list[Row]:
    """Time ``call`` and ``history --search`` on a million messages, against an empty journal."""
    with serving() as (invite, directory):
        register(invite, directory, "alice", "bob", "carol")
        with Peer(directory / "alice", invite) as alice:
            _fill(alice.home.journal("alice", Invite.parse(invite)))
        empty, full, searched = [], [], []
        for _ in range(STARTS):
            empty.append(_wall(directory / "carol", "call", "bob"))
            full.append(_wall(directory / "alice", "call", "bob"))
            searched.append(_wall(directory / "alice", "history", "--search", "word777777"))
        common = _wall(directory / "alice", "history", "--search", "common", "--no-pager")
    more = statistics.median(full) - statistics.median(empty)
    found = statistics.median(searched)
    return [
        ("call (nobody waits), empty journal [ms]", f"{statistics.median(empty) * 1e3:.0f}", ""),
        ("call with 1,000,000 messages, beyond [ms]", f"{more * 1e3:.0f}", "at most 20"),
        ("history --search in 1,000,000 [ms]", f"{found * 1e3:.0f}", "at most 200"),
        ("the same, a word of 10,000 messages [ms]", f"{common * 1e3:.0f}", ""),
    ]


class _Peaks:
    """Watches how much memory processes take, until stopped."""

    def __init__(self, *pids: int) -> None:
        self.most = [0 for _ in pids]
        self._processes = [psutil.Process(pid) for pid in pids]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(0.05):
            for index, process in enumerate(self._processes):
                try:
                    resident = process.memory_info().rss
                except psutil.Error:
                    continue
                self.most[index] = max(self.most[index], resident)


def _fill(path: Path) -> None:
    journal = Journal(path)
    uuid = os.urandom(16)
    conversation = journal.begin(
        Beginning(uuid=uuid, other="bob", key=bytes(32), caller=True, host="h", port=1, at_ms=1)
    )
    outbound = Outbound(uuid, Role.CALLER)
    outbound.resume(1, 1)
    numbers = iter(range(MESSAGES))
    while lump := list(islice(numbers, 50)):
        texts = [
            Text(n, f"word{n} {'common' if n % 100 == 0 else 'rare'} {'x' * 80}") for n in lump
        ]
        journal.store(conversation, outbound.say(texts), [], durable=False, at_ms=1)
    journal.confirm(conversation, MESSAGES)
    journal.finish(conversation, complete=True)
    while journal.index(10_000):
        pass
    journal.close()


def _wall(home: Path, *arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [LANDLINE, "--home", str(home), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        check=False,
    )
    return time.perf_counter() - start
