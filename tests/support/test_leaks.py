"""The leak check fails the test that leaves something behind, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LEAKS = {
    "a thread": (
        """
        import threading
        threading.Thread(target=threading.Event().wait, args=[20], name="left", daemon=True).start()
        """,
        "*thread 'left'",
    ),
    "a child process": (
        """
        import subprocess
        kept.append(subprocess.Popen(["sleep", "20"]))
        """,
        "*child process * sleep 20",
    ),
    "a zmq context": (
        """
        import zmq
        kept.append(zmq.Context())
        """,
        "*(open: *Context*",
    ),
    "a zmq socket": (
        """
        import zmq
        kept.append(zmq.Context.instance().socket(zmq.PAIR))
        """,
        "*(open: *Socket*",
    ),
    "a socket": (
        """
        import socket
        kept.append(socket.create_server(("127.0.0.1", 0)))
        """,
        "*file descriptor *socket:*",
    ),
    "a file": (
        """
        kept.append(open(__file__))
        """,
        "*file descriptor *test_it.py",
    ),
}


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty test suite with the leak check and half a second of grace."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(
        """
        from tests.support import leaks
        from tests.support.leaks import no_leaks, pytest_runtest_makereport
        import psutil
        leaks.GRACE = 0.5
        def pytest_unconfigure():
            for child in psutil.Process().children():
                child.kill()
        """
    )
    return pytester


def run(suite: pytest.Pytester, source: str) -> pytest.RunResult:
    suite.makepyfile(test_it=source)
    return suite.runpytest_subprocess("-p", "no:cacheprovider", timeout=30)


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_fails_the_test_that_made_it(suite: pytest.Pytester, leak: str) -> None:
    body, line = LEAKS[leak]
    result = run(suite, f"kept = []\ndef test_leaks():{body}\ndef test_next(): pass\n")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["the test left behind:", line])


def test_what_ends_in_time_is_no_leak(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
        import subprocess, threading, time, zmq
        def test_tidy():
            threading.Thread(target=time.sleep, args=[0.1]).start()
            with zmq.Context() as context, context.socket(zmq.PAIR) as pair:
                pair.bind("tcp://127.0.0.1:*")
            subprocess.run(["true"])
        """,
    )
    result.assert_outcomes(passed=1)


def test_what_a_longer_lived_fixture_holds_is_no_leak(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
        import pytest, socket, subprocess
        @pytest.fixture(scope="module")
        def server():
            with socket.create_server(("127.0.0.1", 0)) as server:
                child = subprocess.Popen(["sleep", "20"])
                yield server
                child.kill()
                child.wait()
        def test_first(server): pass
        def test_second(server): pass
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_failed_test_is_reported_once(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
        import socket
        def test_fails():
            server = socket.create_server(("127.0.0.1", 0))
            assert server is None
        """,
    )
    result.assert_outcomes(failed=1)
