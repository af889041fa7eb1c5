"""What a user waits for, and what a machine spends: the installed commands, from outside."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from landline import Peer
from tests.bench.brokers import PASSWORD, serving

LANDLINE = str(Path(sys.executable).with_name("landline"))
CALLS = 15
STARTS = 20
# An interpreter that may not keep its bytecode compiles everything at every start.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

Row = tuple[str, str, str]


def start() -> list[Row]:
    """Time a logged-in device from the start of its process to its first message delivered."""
    with serving() as (invite, directory), _bob_waits(invite, directory):
        with Peer(directory / "alice", invite) as alice:
            alice.register("alice", PASSWORD)
            alice.login("alice", PASSWORD)
        times = [_call(directory / "alice") for _ in range(CALLS)]
    return [("start to first message delivered, p50 [ms]", _ms(times), "at most 250")]


def help_time() -> list[Row]:
    """Time ``landline --help`` against a bare interpreter, in turns."""
    bare: list[float] = []
    helped: list[float] = []
    for _ in range(STARTS):
        bare.append(_wall([sys.executable, "-c", "pass"]))
        helped.append(_wall([LANDLINE, "--help"]))
    more = statistics.median(helped) - statistics.median(bare)
    return [
        ("python -c pass, p50 [ms]", _ms(bare), ""),
        ("landline --help, p50 [ms]", _ms(helped), ""),
        ("landline --help beyond python -c pass [ms]", f"{more * 1e3:.0f}", "at most 100"),
    ]


def memory() -> list[Row]:
    """Read the resident memory of a waiting peer and of a broker that nobody troubles."""
    with serving() as (invite, directory), _bob_waits(invite, directory) as bob:
        broker = next(
            child for child in psutil.Process().children() if "landline_broker" in child.cmdline()
        )
        figures = [("idle waiting peer", bob.pid, 45), ("idle broker", broker.pid, 80)]
        return [
            (f"memory of an {what} [MiB]", f"{_resident(pid):.0f}", f"at most {most}")
            for what, pid, most in figures
        ]


@contextmanager
def _bob_waits(invite: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
    home = directory / "bob"
    with Peer(home, invite) as bob:
        bob.register("bob", PASSWORD)
        bob.login("bob", PASSWORD)
    command = [LANDLINE, "--home", str(home), "wait", "--accept", "--json"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=ENVIRONMENT,
    ) as waiting:
        try:
            assert waiting.stdout is not None
            _until(waiting.stdout, "waiting")
            yield waiting
        finally:
            waiting.terminate()


def _call(home: Path) -> float:
    began = time.perf_counter()
    with subprocess.Popen(
        [LANDLINE, "--home", str(home), "call", "bob", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=ENVIRONMENT,
    ) as call:
        assert call.stdin is not None
        assert call.stdout is not None
        call.stdin.write("hello\n")
        call.stdin.flush()
        _until(call.stdout, "delivered")
        took = time.perf_counter() - began
        call.communicate("bye\n", timeout=10)
    return took


def _until(lines: Iterator[str], event: str) -> None:
    for line in lines:
        if json.loads(line)["event"] == event:
            return
    raise RuntimeError(f"the command ended before it said {event!r}")


def _wall(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    return time.perf_counter() - began


def _resident(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 1_048_576


def _ms(times: list[float]) -> str:
    return f"{statistics.median(times) * 1e3:.0f}"
