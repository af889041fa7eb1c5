"""The database's clock, as an SQL expression.

Leases, claims and sessions are compared with this clock alone, so that brokers
whose own clocks differ agree on what has expired.
"""

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

# SQLite's own unixepoch('subsec') needs 3.42; the Julian day works everywhere,
# to the millisecond.
_SQLITE = "((julianday('now') - 2440587.5) * 86400.0)"
_MYSQL = "UNIX_TIMESTAMP(NOW(6))"


class now(FunctionElement[float]):  # noqa: N801  (it reads as the SQL function it is)
    """Seconds since 1970 in UTC, the same within one statement."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _sqlite(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return _SQLITE


@compiles(now, "mysql")
def _mysql(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return _MYSQL
