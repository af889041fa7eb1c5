"""What an operator may choose, and what follows from it.

Values only: nothing is opened or started here.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from landline_broker.address import Listen
from landline_broker.keys import DATABASE_FILE
from landline_broker.passwords import COST
from landline_protocol.limits import (
    HELLO_DEADLINE_S,
)
from landline_sql.database import STATEMENT_TIMEOUT_S, Database, file_url, parse_url
from landline_sql.store import Rules

# Each worker takes two of the 1,023 sockets that a ZeroMQ context has.
THREADS_MAX: Final = 128
DIRECTORY_THREADS_MYSQL: Final = 8
DIRECTORY_THREADS_SQLITE: Final = 2


@dataclass(frozen=True)
class LaneSettings:
    """How much one lane takes.

    Besides those in hand, ``queued`` requests wait at most; of both one device may
    have ``per_device``. Above, the answer is ``busy``: retry after so many seconds.
    """

    queued: int
    per_device: int
    retry_after: float


AUTH_LANE: Final = LaneSettings(queued=256, per_device=4, retry_after=2.0)
DIRECTORY_LANE: Final = LaneSettings(queued=1024, per_device=64, retry_after=0.5)


@dataclass(frozen=True)
class Wire:
    """Timers of the connections to peers, in milliseconds."""

    handshake: int = int(HELLO_DEADLINE_S * 1000)


LISTEN: Final = Listen("*", 7720)
WIRE: Final = Wire()
RULES: Final = Rules()


@dataclass(frozen=True)
class Settings:
    """One broker. ``database`` None is an SQLite file in the data directory."""

    data_dir: Path
    listen: Listen = LISTEN
    database: str | None = field(default=None, repr=False)
    advertise: str | None = None
    name: str = "landline-broker"
    bcrypt_cost: int = COST
    auth_threads: int | None = None
    directory_threads: int | None = None
    rules: Rules = RULES
    auth_lane: LaneSettings = AUTH_LANE
    directory_lane: LaneSettings = DIRECTORY_LANE
    wire: Wire = WIRE

    def open_database(self, patience: int = STATEMENT_TIMEOUT_S) -> Database:
        """Return the database, not connected yet; see Database for ``patience``.

        Raises:
            BadDatabase: the URL is not valid.
        """
        if self.database is not None:
            return Database(parse_url(self.database), patience)
        return Database(file_url(self.data_dir / DATABASE_FILE))

    def auth_workers(self) -> int:
        """Return how many workers check passwords: one a core."""
        return self.auth_threads or min(os.cpu_count() or 1, THREADS_MAX)

    def directory_workers(self, *, is_sqlite: bool) -> int:
        """Return how many workers do the rest: more only where they wait for a server."""
        if self.directory_threads is not None:
            return self.directory_threads
        return DIRECTORY_THREADS_SQLITE if is_sqlite else DIRECTORY_THREADS_MYSQL
