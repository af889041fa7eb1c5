"""A network of the tests' own: nodes with a network stack each, joined by a switch.

A node is a Linux network namespace with one interface; the switch is a bridge in a
namespace too, so that nothing of this machine's own network is seen or changed. Needs
root and iproute2.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

Family = Literal["ipv4", "ipv6"]

REQUIRED = "LANDLINE_REQUIRE_LAN"
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
INTERFACE = "eth0"
DEADLINE = 10.0
"""How long one change of the network may take, in seconds."""

MOVED = 100
"""By how much a node's number grows when it gets another address."""
_CLONE_NEWNET = 0x4000_0000

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
_SUBNETS: dict[Family, str] = {"ipv4": "10.77.20.{}/24", "ipv6": "fd6c:616e:646c:696e::{}/64"}
_LOOPBACKS: dict[Family, str] = {"ipv4": "127.0.0.1", "ipv6": "::1"}
_serial = itertools.count(1)


class LanError(Exception):
    """The network could not be changed."""


class Node:
    """One machine of the network."""

    def __init__(self, family: Family, name: str, namespace: str, switch: str, number: int) -> None:
        self.name = name
        self.namespace = namespace
        self.loopback = _LOOPBACKS[family]
        self._subnet = _SUBNETS[family]
        self._switch = switch
        self._number = number
        self.address = self._at(number)

    def __repr__(self) -> str:
        return f"<Node {self.name} {self.address}>"

    def argv(self, *command: str) -> list[str]:
        """Return the command that runs `command` on this node."""
        return [_ip(), "netns", "exec", self.namespace, *command]

    def enter(self) -> None:
        """Let the calling thread be on this node: the sockets it makes from now on are."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/var/run/netns", self.namespace).open() as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise LanError(f"{self}: {os.strerror(ctypes.get_errno())}")

    @contextlib.contextmanager
    def moved(self) -> Iterator[None]:
        """Give the node another address instead of its own, for a while."""
        self._readdress(self._at(self._number + MOVED))
        try:
            yield
        finally:
            self._readdress(self._at(self._number))

    def _readdress(self, new: str) -> None:
        length = self._subnet.partition("/")[2]
        # One after the other: with the first address Linux takes the others of its subnet.
        lines = [
            f"address delete {self.address}/{length} dev {INTERFACE}",
            f"address add {new}/{length} dev {INTERFACE}" + (" nodad" if ":" in new else ""),
        ]
        _batch(lines, self.namespace)
        self.address = new

    def _at(self, number: int) -> str:
        return self._subnet.format(number).partition("/")[0]

    def unplug(self) -> None:
        """Pull the cable at the switch: nothing comes or goes, and nobody is told."""
        _run("-n", self._switch, "link", "set", "dev", self.name, "down")

    def plug_in(self) -> None:
        """Put the cable back; it may be in already."""
        _run("-n", self._switch, "link", "set", "dev", self.name, "up")

    @contextlib.contextmanager
    def no_route_to(self, other: Node) -> Iterator[None]:
        """Let every packet from here to another node end in a black hole."""
        _run("-n", self.namespace, "route", "add", "blackhole", other.address)
        try:
            yield
        finally:
            _run("-n", self.namespace, "route", "delete", "blackhole", other.address)

    def octets(self) -> int:
        """Return how much has crossed this node's interface so far, both ways."""
        text = _run("-n", self.namespace, "-json", "-stats", "link", "show", "dev", INTERFACE)
        (interface,) = json.loads(text)
        return sum(int(interface["stats64"][way]["bytes"]) for way in ("rx", "tx"))


class Lan:
    """Some nodes and their switch, from `with` to its end."""

    def __init__(self, family: Family, names: Sequence[str]) -> None:
        self.family = family
        # Test runs beside each other have networks of their own.
        self._prefix = f"landline-{os.getpid()}-{next(_serial)}"
        self.switch = f"{self._prefix}-switch"
        self._nodes = {
            name: Node(family, name, f"{self._prefix}-{name}", self.switch, number)
            for number, name in enumerate(names, 1)
        }

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    @property
    def nodes(self) -> list[Node]:
        return list(self._nodes.values())

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def argv_at_switch(self, *command: str) -> list[str]:
        """Return the command that runs `command` where every packet comes by."""
        return [_ip(), "netns", "exec", self.switch, *command]

    def plug_in(self) -> None:
        """Put every cable back."""
        for node in self.nodes:
            node.plug_in()

    def _build(self) -> None:
        _batch(f"netns add {namespace}" for namespace in self._namespaces())
        _batch(self._cables(), self.switch)
        for number, node in enumerate(self.nodes, 1):
            _batch(
                [
                    "link set dev lo up",
                    f"link set dev {INTERFACE} up",
                    # Nobody else is there: an IPv6 address may be used at once.
                    f"address add {_SUBNETS[self.family].format(number)} dev {INTERFACE}"
                    + (" nodad" if self.family == "ipv6" else ""),
                ],
                node.namespace,
            )

    def _cables(self) -> list[str]:
        lines = ["link add name bridge type bridge", "link set dev bridge up"]
        for node in self.nodes:
            ends = f"name {node.name} type veth peer name {INTERFACE} netns {node.namespace}"
            lines += [f"link add {ends}", f"link set dev {node.name} master bridge up"]
        return lines

    def _namespaces(self) -> list[str]:
        return [self.switch, *(node.namespace for node in self.nodes)]

    def _remove(self) -> None:
        """Remove the namespaces; what is in them goes with them."""
        listed = {entry["name"] for entry in json.loads(_run("-json", "netns", "list") or "[]")}
        with contextlib.ExitStack() as stack:
            for namespace in listed.intersection(self._namespaces()):
                stack.callback(_run, "netns", "delete", namespace)


@pytest.fixture(scope="session")
def lan_possible() -> None:
    """Skip the test where there can be no such network; fail it if LANDLINE_REQUIRE_LAN=1."""
    missing = _missing()
    if missing is not None and os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{missing}, and {REQUIRED}=1", pytrace=False)
    if missing is not None:
        pytest.skip(missing)


@cache
def _missing() -> str | None:
    """Return why there can be no network here, if so."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if shutil.which("ip", path=SEARCH_PATH) is None:
        return "ip (iproute2) is not installed"
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    try:
        with Lan("ipv4", ["probe"]):
            return None
    except LanError as error:
        return f"no network namespaces can be made here: {error}"


def _ip() -> str:
    path = shutil.which("ip", path=SEARCH_PATH)
    assert path is not None, "asked for by `lan_possible`"
    return path


def _batch(lines: Iterable[str], namespace: str | None = None) -> None:
    where = () if namespace is None else ("-n", namespace)
    _run(*where, "-batch", "-", text="\n".join(lines))


def _run(*arguments: str, text: str = "") -> str:
    done = subprocess.run(
        [_ip(), *arguments],
        check=False,
        input=text,
        timeout=DEADLINE,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise LanError(f"ip {' '.join(arguments)}: {done.stderr.strip()}\n{text}".rstrip())
    return done.stdout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for a network, so that `-m "not lan"` leaves it out."""
    for item in items:
        if isinstance(item, pytest.Function) and "lan_possible" in item.fixturenames:
            item.add_marker(pytest.mark.lan)
