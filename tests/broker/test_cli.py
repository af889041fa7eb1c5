"""The command keeps its contract: one line, exit statuses, words that say what to do."""

from __future__ import annotations

import re
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from landline_broker.cli import main
from landline_protocol.invite import Invite
from landline_protocol.messages import Hello, Login, Problem
from tests.broker.device import PASSWORD, Device

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from tests.support.children import Child, Children
    from tests.support.mariadb import MariaDB

STOP_S = 3.0


class Served:
    """A `landline-broker serve` and how to ask it."""

    def __init__(self, stack: ExitStack, child: Child) -> None:
        self.stack = stack
        self.child = child
        self.invite = Invite.parse(child.expect_line("^ready (landline://.*)$").group(1))

    def device(self) -> Device:
        return self.stack.enter_context(Device(self.invite))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Return the exit status; it must come in time."""
        self.child.signal(number)
        return self.child.wait(STOP_S)


class Command:
    """Runs `landline-broker` on one data directory."""

    def __init__(self, stack: ExitStack, children: Children, folder: Path) -> None:
        self._stack = stack
        self._children = children
        self.folder = folder

    def serve(self, *options: str, env: dict[str, str] | None = None) -> Served:
        command = ["serve", "--listen", "tcp://*:0", "--bcrypt-cost", "4", *options]
        given = {"LANDLINE_BROKER_DATA_DIR": str(self.folder)} | (env or {})
        return Served(self._stack, self._children.start("landline-broker", *command, env=given))

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, list[str]]:
        """Run a command that ends by itself; return its status and all that it prints."""
        given = {"LANDLINE_BROKER_DATA_DIR": str(self.folder)} | (env or {})
        result = CliRunner().invoke(main, arguments, env=given)
        return result.exit_code, result.output.splitlines()


@pytest.fixture
def command(stack: ExitStack, children: Children, tmp_path: Path) -> Command:
    """The command, with a data directory that does not exist yet."""
    return Command(stack, children, tmp_path / "data")


def refused(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command that fails; return its status and the one line that it prints."""
    result = CliRunner().invoke(main, arguments, env=env)
    (line,) = result.stderr.splitlines()
    assert result.stdout == ""
    assert line.startswith("landline-broker: ")
    return result.exit_code, line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_prints_one_line_and_ends_well(command: Command, number: signal.Signals) -> None:
    served = command.serve()
    served.device().join("alice")
    assert served.end(number) == 0
    assert served.child.stdout_lines == [f"ready {served.invite}"]
    assert "Traceback" not in served.child.transcript()


def test_the_module_runs_as_the_command_does(
    stack: ExitStack, children: Children, tmp_path: Path
) -> None:
    program = [sys.executable, "-m", "landline_broker", "serve", "--listen", "tcp://127.0.0.1:0"]
    served = Served(stack, children.start_program([*program, "--data-dir", str(tmp_path / "d")]))
    served.device().must(Hello("x"))
    assert served.invite.host == "127.0.0.1"
    assert served.end() == 0


def test_the_data_outlives_the_broker_and_a_second_broker_shares_it(command: Command) -> None:
    first = command.serve()
    first.device().join("alice")
    second = command.serve()
    assert second.invite.key == first.invite.key
    second.device().login("alice")
    assert command.run("invite") == (0, [str(second.invite)])
    assert [first.end(), second.end()] == [0, 0]
    third = command.serve()
    third.device().login("alice")
    assert third.end() == 0


def test_a_request_in_hand_is_finished_before_the_end(command: Command) -> None:
    served = command.serve("--bcrypt-cost", "11", "--auth-threads", "1")
    alice = served.device()
    alice.must(Hello("x"))
    request = Login("alice", PASSWORD)
    rid = alice.send(request)
    others = [served.device() for _ in range(3)]
    for other in others:
        other.must(Hello("x"))
        other.send(request)
    assert served.end() == 0
    answer = alice.receive(request, rid)
    assert isinstance(answer, Problem)
    assert answer.code == "denied"


def test_a_database_that_hangs_does_not_keep_it_from_ending(
    command: Command, mariadb: MariaDB, empty_mariadb: str
) -> None:
    served = command.serve(env={"LANDLINE_BROKER_DATABASE": empty_mariadb})
    alice = served.device().join("alice")
    mariadb.pause()
    try:
        alice.send(Hello("x"))
        assert served.end() == 0
    finally:
        mariadb.resume()


def test_mysql_is_migrated_on_request_only(command: Command, mariadb_url: str) -> None:
    env = {"LANDLINE_BROKER_DATABASE": mariadb_url}
    status, lines = command.run("serve", "--listen", "tcp://*:0", env=env)
    assert (status, len(lines)) == (1, 1)
    assert "run landline-broker migrate" in lines[0]
    for _ in range(2):
        assert command.run("migrate", env=env) == (0, ["the database is up to date"])
    served = command.serve(env=env)
    served.device().join("alice")
    assert served.end() == 0


def test_a_lost_device_is_shut_out(command: Command) -> None:
    served = command.serve()
    alice = served.device().join("alice")
    assert command.run("devices", "Alice") == (0, [f"{alice.key.hex()} logged-in"])
    assert command.run("revoke", alice.key.hex()) == (0, ["revoked a device of alice"])
    assert alice.refused(Login("alice", PASSWORD)) == "denied"
    assert command.run("devices", "alice") == (0, [f"{alice.key.hex()} revoked"])
    for nothing in (("revoke", "00" * 32), ("devices", "nobody")):
        status, lines = command.run(*nothing)
        assert (status, len(lines)) == (1, 1)
    assert served.end() == 0


def test_nothing_secret_is_printed(command: Command) -> None:
    served = command.serve("--log-level", "debug")
    alice = served.device().join("alice")
    alice.refused(Login("alice", "hidden from all"))
    assert served.end() == 0
    printed = served.child.transcript()
    secrets = [PASSWORD, "hidden from all", "$2b$", (command.folder / "broker.key").read_text()]
    assert not [secret for secret in secrets if secret.strip() in printed]


@pytest.mark.parametrize(
    "options",
    [
        ["--listen", "nowhere"],
        ["--advertise", "tcp://x"],
        ["--ports", "5-3"],
        ["--ports", "0-70000"],
        ["--ports", "many"],
        ["--bcrypt-cost", "3"],
        ["--bcrypt-cost", "17"],
        ["--name", ""],
        ["--auth-threads", "0"],
        ["--directory-threads", "x"],
        ["--log-level", "loud"],
        ["--no-such-option"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(options: list[str]) -> None:
    status, line = refused("serve", *options)
    assert status == 2
    assert options[0] in line
    assert line.endswith("serve --help)")


def test_a_value_that_is_missing_points_at_the_help_of_the_command() -> None:
    status, line = refused("serve", "--listen")
    assert status == 2
    assert line.endswith("serve --help)")


def test_what_cannot_be_used_is_status_1(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no database\n" * 100)
    data = ["--data-dir", str(tmp_path / "data"), "--listen", "tcp://127.0.0.1:0"]
    for arguments, words in (
        (["serve", "--data-dir", f"{file}/below"], "choose another with --data-dir"),
        (["serve", *data, "--database", "mysql://u:hidden@127.0.0.1:9/d"], "check --database"),
        (["serve", *data, "--database", "hidden"], "URL is not valid"),
        (["serve", *data, "--database", f"sqlite:///{file}"], "file is not a database"),
        (["migrate", *data[:2], "--database", "oracle://hidden@h/d"], "starts with mysql://"),
        (["invite", *data[:2]], "landline-broker serve"),
    ):
        status, line = refused(*arguments)
        assert status == 1
        assert words in line
        assert "hidden" not in line


def test_a_wrong_database_password_is_status_1(mariadb: MariaDB, tmp_path: Path) -> None:
    url = mariadb.url("landline_x").replace(mariadb.password, "hidden")
    status, line = refused(
        "serve", "--data-dir", str(tmp_path), env={"LANDLINE_BROKER_DATABASE": url}
    )
    assert status == 1
    assert "Access denied" in line
    assert "hidden" not in line


def test_a_port_in_use_is_status_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        status, line = refused("serve", "--data-dir", str(tmp_path), "--listen", listen)
    assert status == 1
    assert "is in use" in line


def test_a_key_that_is_none_is_status_2(tmp_path: Path) -> None:
    assert refused("revoke", "--data-dir", str(tmp_path), "xyz")[0] == 2


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--debug", "invite", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "no broker has run" in str(result.exception)


def test_help_and_version() -> None:
    for arguments in ([], ["--help"], ["-h"], ["serve", "--help"], ["serve", "-h"]):
        result: Any = CliRunner().invoke(main, arguments)
        assert "Usage: " in result.output
        assert "..." not in result.output.partition("Commands:")[2]
    assert re.search(r"version \d", CliRunner().invoke(main, ["--version"]).output)


def test_an_open_data_directory_is_closed_and_that_is_said(command: Command) -> None:
    command.folder.mkdir(mode=0o755)
    served = command.serve()
    assert served.end() == 0
    assert command.folder.stat().st_mode & 0o777 == 0o700
    assert "was open to other users: closed it" in served.child.transcript()
