"""CONTRIBUTING.md and the project's own settings say the same."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib

import pytest

from tests.docs.page import ROOT, Page

PAGE = Page.read("CONTRIBUTING.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEPENDENCIES = [re.split(r"\W", name)[0].lower() for name in PROJECT["dependencies"]]
FOLDERS = ("broker", "peer", "protocol", "sql")
IMPORTED_AS = {"pyzmq": "zmq"}
"""By which name a package is imported, where that is not its own in small letters."""


def imported() -> set[str]:
    """Return the top-level name of everything that the packages import."""
    found: set[str] = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module.partition(".")[0])
    return found


def test_every_dependency_has_its_reason() -> None:
    (rows,) = PAGE.section("## Libraries, and why these").tables
    assert sorted(row[0].split()[0].lower() for row in rows) == sorted(DEPENDENCIES)


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_no_dependency_is_there_for_nothing(name: str) -> None:
    assert IMPORTED_AS.get(name, name) in imported()


def test_every_path_exists() -> None:
    paths = {path for path in re.findall(r"[\w./-]+", PAGE.text) if is_path(path)}
    assert "tests/sql/test_calls.py" in paths
    assert not [path for path in paths if not (ROOT / path).exists()]


def is_path(text: str) -> bool:
    """Whether it looks like a path of this project."""
    return text.startswith(("tests/", ".ci/", *(f"{folder}/" for folder in FOLDERS)))


def test_every_tox_environment_exists() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    listed = set(re.split(r"[,\s]+", tox["tox"]["env_list"]))
    there = listed | {name.removeprefix("testenv:") for name in tox.sections()}
    assert set(re.findall(r"tox -e (\w+)", PAGE.text)) <= there
