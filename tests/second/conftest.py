"""The stage of the tests of the second client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peer.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A broker and the peers of this test."""
    with Stage(tmp_path) as stage:
        yield stage
