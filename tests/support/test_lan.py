"""A network of the tests' own carries what its cables allow, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.lan import FAMILIES, Lan, LanError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lan import Family, Node

LISTEN = """
import socket, sys
host, family = sys.argv[1], socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((host, 0), family=family) as server:
    print(server.getsockname()[1], flush=True)
    server.settimeout(10)
    server.accept()[0].close()
"""
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("connected")
except TimeoutError:
    print("silence")
"""


@pytest.fixture(params=FAMILIES)
def lan(request: pytest.FixtureRequest, lan_possible: None) -> Iterator[Lan]:
    family: Family = request.param
    with Lan(family, ["one", "two"]) as built:
        yield built


def connect(node: Node, host: str, port: int, seconds: float) -> str:
    argv = node.argv(sys.executable, "-c", CONNECT, host, str(port), str(seconds))
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout


def shown(*arguments: str) -> str:
    """Return what `ip` prints about this machine itself."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def own_addresses() -> dict[str, set[str]]:
    """Return this machine's interfaces and their addresses."""
    return {
        interface["ifname"]: {address["local"] for address in interface["addr_info"]}
        for interface in json.loads(shown("-json", "address"))
    }


def test_a_cable_carries_counts_and_can_be_pulled(lan: Lan) -> None:
    one, two = lan.nodes
    listen = two.argv(sys.executable, "-c", LISTEN, two.address)
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            two.unplug()
            assert connect(one, two.address, port, 0.3) == "silence\n"
            two.plug_in()
            before = two.octets()
            assert connect(one, two.address, port, 5.0) == "connected\n"
            assert two.octets() > before
        finally:
            server.kill()


def own_namespaces() -> list[str]:
    """Return those that this process made; other runs make theirs at the same time."""
    lines = shown("netns", "list").splitlines()
    return sorted(line for line in lines if line.startswith(f"landline-{os.getpid()}-"))


def test_nothing_is_left_and_nothing_of_this_machine_is_touched(lan: Lan) -> None:
    namespaces, addresses = own_namespaces(), own_addresses()
    with Lan(lan.family, ["one", "two", "three"]) as another:
        assert [node.name for node in another.nodes] == ["one", "two", "three"]
        assert len(own_namespaces()) == len(namespaces) + 4
        assert own_addresses() == addresses
    assert own_namespaces() == namespaces


def test_a_network_that_cannot_be_built_whole_is_removed(lan: Lan) -> None:
    broken = Lan(lan.family, ["one", "an-interface-has-a-short-name"])
    with pytest.raises(LanError), broken:
        pass
    assert broken.switch not in shown("netns", "list")


def test_a_node_that_has_moved_is_found_at_its_new_address_only(lan: Lan) -> None:
    one, two = lan.nodes
    before = two.address
    with two.moved():
        assert two.address != before
        with subprocess.Popen(
            two.argv(sys.executable, "-c", LISTEN, two.address), stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                assert connect(one, two.address, port, 5.0) == "connected\n"
                assert connect(one, before, port, 0.3) != "connected\n"
            finally:
                server.kill()
    assert two.address == before
