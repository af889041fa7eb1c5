"""The household of the command's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peer.cli.household import Household, Street
from tests.support.children import Child, Children, command, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A broker, and the homes of alice, bob and carol."""
    path = tmp_path_factory.mktemp("street")
    options = ("--listen", "tcp://127.0.0.1:0", "--data-dir", str(path), "--bcrypt-cost", "4")
    argv = [command("landline-broker"), "serve", *options]
    with Child(argv, env=environment(path), cwd=path) as broker:
        street = Street(broker.expect_line("^ready (.*)").group(1), path / "homes")
        street.log_in()
        yield street


@pytest.fixture
def household(street: Street, children: Children, tmp_path: Path) -> Iterator[Household]:
    """The homes and the processes of one test."""
    household = Household(street, tmp_path, children)
    try:
        yield household
    finally:
        household.stop()
