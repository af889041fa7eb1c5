"""The leak check fails the test that leaves something behind, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LEAKY_SUITE = """
import socket, subprocess, threading, zmq

kept = []

def test_thread():
    asleep = threading.Event()
    threading.Thread(target=asleep.wait, args=[20], name="left", daemon=True).start()

def test_child():
    kept.append(subprocess.Popen(["sleep", "20"]))

def test_context():
    kept.append(zmq.Context())

def test_zmq_socket():
    kept.append(zmq.Context.instance().socket(zmq.PAIR))

def test_socket():
    kept.append(socket.create_server(("127.0.0.1", 0)))

def test_file():
    kept.append(open(__file__))

def test_after_all_these():
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty test suite with the leak check and little patience."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(
        """
        from tests.support import leaks
        from tests.support.leaks import no_leaks, pytest_runtest_makereport
        import psutil
        leaks.GRACE = 0.3
        def pytest_unconfigure():
            for child in psutil.Process().children():
                child.kill()
        """
    )
    return pytester


def run(suite: pytest.Pytester, source: str) -> pytest.RunResult:
    suite.makepyfile(test_it=source)
    return suite.runpytest_subprocess("-p", "no:cacheprovider", timeout=30)


def test_a_leak_fails_the_test_that_made_it_and_no_later_one(suite: pytest.Pytester) -> None:
    result = run(suite, LEAKY_SUITE)
    result.assert_outcomes(passed=7, errors=6)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_thread *",
            "*thread 'left'",
            "*ERROR at teardown of test_child *",
            "*child process * sleep 20",
            "*ERROR at teardown of test_context *",
            "*(open: *Context*",
            "*ERROR at teardown of test_zmq_socket *",
            "*(open: *Socket*",
            "*ERROR at teardown of test_socket *",
            "*file descriptor *socket:*",
            "*ERROR at teardown of test_file *",
            "*file descriptor *test_it.py",
        ]
    )


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
