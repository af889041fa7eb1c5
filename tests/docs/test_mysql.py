"""The part of README.md on MySQL and MariaDB, run on a real server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from landline import Peer
from tests.docs.page import README
from tests.docs.scene import PASSWORD, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.children import Children
    from tests.support.mariadb import MariaDB

PART = README.section("## MySQL and MariaDB")
NAME = "landline_of_readme"
"""Stands for the name of the database and of its user: the server has a user landline."""
RIGHTS = re.findall(r"`([A-Z]+)`", PART.words[PART.words.index("To serve,") :])


@pytest.fixture
def server(mariadb: MariaDB) -> Iterator[MariaDB]:
    """A server on which nobody has made the database yet."""
    try:
        yield mariadb
    finally:
        mariadb.execute(f"DROP DATABASE IF EXISTS {NAME}", f"DROP USER IF EXISTS '{NAME}'@'%'")


def test_what_it_says_leads_to_two_brokers_on_one_database(
    server: MariaDB, children: Children, tmp_path: Path
) -> None:
    sql = PART.block("sql").replace("landline", NAME)
    server.execute(*(statement for statement in sql.split(";\n") if statement))
    export, migrate, serve = PART.block("sh").splitlines()
    variable, _, url = export.removeprefix("export ").partition("=")
    url = url.strip("'").replace("db.example.net/", f"{server.host}:{server.port}/")
    env = {variable: re.sub(r"\blandline\b", NAME, url)}
    scene = Scene(children, tmp_path)
    scene.run("broker", *migrate.split(), env=env)
    assert RIGHTS == ["SELECT", "INSERT", "UPDATE", "DELETE"]
    server.execute(
        f"REVOKE ALL ON {NAME}.* FROM '{NAME}'@'%'",
        f"GRANT {', '.join(RIGHTS)} ON {NAME}.* TO '{NAME}'@'%'",
    )
    peers = []
    for user in ("alice", "bob"):
        broker = scene.serve(f"{serve} --data-dir {tmp_path / f'broker-of-{user}'}", env=env)
        peers.append((broker, user, scene.invite))
    (broker, alice, invite), (other, bob, elsewhere) = peers
    assert invite != elsewhere
    with Peer(tmp_path / alice, invite) as caller, Peer(tmp_path / bob, elsewhere) as callee:
        for user, peer in ((alice, caller), (bob, callee)):
            peer.register(user, PASSWORD)
            peer.login(user, PASSWORD)
        with callee.wait():
            assert {user.name: user.state for user in caller.who()} == {
                "alice": "offline",
                "bob": "waiting",
            }
    assert (broker.stop(), other.stop()) == (0, 0)
