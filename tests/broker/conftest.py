"""Brokers that run in the test's own process, and devices that ask them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import zmq

from landline_broker.address import Listen
from landline_broker.server import Broker
from landline_broker.settings import Settings
from tests.broker.device import Device
from tests.sql.prepared import (  # fixtures
    empty_mariadb,
    empty_sqlite,
    mariadb_tables,
    tables_url,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["empty_mariadb", "empty_sqlite", "mariadb_tables", "tables_url"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what was begun, the latest first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    """The settings of tests: any port, an SQLite file, a quick bcrypt."""
    return Settings(tmp_path / "broker", Listen("*", 0), bcrypt_cost=4, auth_threads=2)


@pytest.fixture
def start(stack: ExitStack, plain: Settings, tables_url: str) -> Callable[..., Broker]:
    """Start a broker on SQLite and on MariaDB, with some settings changed."""
    settings = replace(plain, database=tables_url)
    return lambda **changed: stack.enter_context(Broker(replace(settings, **changed)))


@pytest.fixture
def broker(start: Callable[..., Broker]) -> Broker:
    """A broker on SQLite and on MariaDB."""
    return start()


@pytest.fixture
def dial(stack: ExitStack) -> Callable[..., Device]:
    """Make a device that asks the broker that is given."""
    context: zmq.Context[zmq.Socket[bytes]] = stack.enter_context(zmq.Context())
    return lambda broker, **options: stack.enter_context(
        Device(broker.invite, context=context, **options)
    )


@pytest.fixture
def device(dial: Callable[..., Device], broker: Broker) -> Callable[..., Device]:
    """Make a device that asks `broker`."""
    return lambda **options: dial(broker, **options)
