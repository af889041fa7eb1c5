"""The stage of the tests of faults."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline_protocol.invite import Invite
from tests.faults.meeting import Meeting
from tests.peer.stage import Stage
from tests.support.children import Children
from tests.support.lan import Lan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHORT_LEASE = Path(__file__).parents[1] / "lan" / "short_lease.py"
LEASE = "12"
"""Longer than a caller dials, and short for whoever waits for a renewal."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A broker and the peers of this test; a link that breaks ends a conversation at once."""
    with Stage(tmp_path) as stage:
        stage.redial_s = 0.0
        yield stage


@pytest.fixture(scope="module")
def network(
    lan_possible: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lan, Invite]]:
    """A broker, alice, bob and somebody in the middle, a node each; leases are short."""
    folder = tmp_path_factory.mktemp("network")
    children = Children(folder)
    with Lan("ipv4", ["broker", "alice", "bob", "middle"]) as lan:
        try:
            argv = (sys.executable, str(SHORT_LEASE), str(folder / "broker"), "7720", LEASE)
            serving = children.start_program(lan["broker"].argv(*argv))
            yield lan, Invite.parse(serving.expect_line(r"^ready (\S+)$")[1])
        finally:
            children.stop()


@pytest.fixture
def meet(
    network: tuple[Lan, Invite], children: Children, tmp_path: Path
) -> Iterator[Callable[[], Meeting]]:
    """Two new users of the network, whose cables are put back."""
    lan, invite = network
    try:
        yield lambda: Meeting(lan, invite, children, tmp_path)
    finally:
        lan.plug_in()
