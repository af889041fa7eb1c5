"""The MariaDB fixture gives fresh databases of a server that can go and come back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB


def run(url: str, *statements: str) -> list[object]:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            results = [connection.execute(text(statement)) for statement in statements]
            return list(results[-1].scalars()) if results[-1].returns_rows else []
    finally:
        engine.dispose()


@pytest.mark.parametrize("round_number", [1, 2])
def test_each_test_has_an_empty_database(database_url: str, round_number: int) -> None:
    run(database_url, "CREATE TABLE word (text VARCHAR(20))", "INSERT INTO word VALUES ('é👋')")
    assert run(database_url, "SELECT text FROM word") == ["é👋"]


def test_the_server_can_go_away_and_come_back(mariadb: MariaDB, mariadb_url: str) -> None:
    run(mariadb_url, "CREATE TABLE word (text VARCHAR(20))", "INSERT INTO word VALUES ('a')")
    mariadb.stop()
    with pytest.raises(OperationalError):
        run(mariadb_url, "SELECT 1")
    mariadb.start()
    assert run(mariadb_url, "SELECT text FROM word") == ["a"]


ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("required", "outcome"), [("0", {"skipped": 1}), ("1", {"errors": 1})])
def test_a_missing_server_skips_its_tests_or_fails_them(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    required: str,
    outcome: dict[str, int],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("LANDLINE_REQUIRE_MARIADB", required)
    pytester.makeconftest(
        """
        from tests.support import mariadb as support
        from tests.support.mariadb import database_url, mariadb, mariadb_url, sqlite_url
        support.SEARCH_PATH = "/nowhere"
        """
    )
    pytester.makeini("[pytest]\nmarkers = mariadb: needs a server\n")
    pytester.makepyfile("def test_it(database_url): pass")
    result = pytester.runpytest_subprocess("-rs", timeout=30)
    result.assert_outcomes(passed=1, **outcome)
    result.stdout.fnmatch_lines(["*MariaDB's server * is not installed*"])
