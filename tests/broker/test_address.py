"""One spelling for each address, and none that cannot be connected to."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline_broker.address import (
    BadAddress,
    Listen,
    interface_address,
    invite_host,
    is_loopback,
    lan_address,
    normal_address,
    published_host,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://*:7720", "*", 7720),
        ("tcp://127.0.0.1:0", "127.0.0.1", 0),
        ("tcp://[::1]:*", "::1", 0),
        ("tcp://[::]:65535", "::", 65535),
    ],
)
def test_where_to_listen(text: str, host: str, port: int) -> None:
    listen = Listen.parse(text)
    assert listen == Listen(host, port)
    assert Listen.parse(str(listen)) == listen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*:7720",
        "tcp://*",
        "tcp://:1",
        "tcp://::1:1",
        "tcp://[x]:1",
        "tcp://*:65536",
        "udp://*:1",
        "tcp://host.example:1",
        "tcp://1.2.3:1",
        "tcp://*:-1",
    ],
)
def test_where_nobody_can_listen(text: str) -> None:
    with pytest.raises(BadAddress):
        Listen.parse(text)


@pytest.mark.parametrize(
    ("seen", "normal"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_what_a_socket_reports_has_one_spelling(seen: str, normal: str) -> None:
    assert normal_address(seen) == normal


def test_a_loopback_address_is_known_in_both_families() -> None:
    assert is_loopback("127.0.0.9")
    assert is_loopback("::1")
    assert not is_loopback("192.0.2.7")


@pytest.mark.parametrize(
    ("named", "host"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::FFFF:192.0.2.7", "192.0.2.7"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("Laptop.LOCAL", "laptop.local"),
        ("laptop.local.", "laptop.local"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_host_that_a_peer_names(named: str, host: str) -> None:
    assert published_host(named) == host


@pytest.mark.parametrize(
    "named",
    [
        "tcp://host",
        "a b",
        "host:1",
        "-a",
        "a-",
        "a..b",
        ".",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "fe80::1%eth0",
        "1.2.3",
        "1.2.3.4.5",
        "a" * 64,
        "é.example",
        "x\n",
        "a." * 150,
    ],
)
def test_a_host_that_nobody_can_connect_to(named: str) -> None:
    with pytest.raises(BadAddress):
        published_host(named)


@given(st.text(max_size=40))
def test_any_text_is_a_host_in_its_one_spelling_or_refused(text: str) -> None:
    try:
        host = published_host(text)
    except BadAddress:
        return
    assert published_host(host) == host


def test_the_invite_names_what_is_advertised_then_what_is_listened_on() -> None:
    assert invite_host(Listen("127.0.0.1", 1), "example.org") == "example.org"
    assert invite_host(Listen("127.0.0.1", 1), None) == "127.0.0.1"
    assert invite_host(Listen("*", 1), None) == lan_address()
    assert invite_host(Listen("::", 1), None) == lan_address()


@pytest.mark.parametrize("found", [lan_address, interface_address])
def test_the_address_on_the_network_is_one_to_connect_to(found: Callable[[], str]) -> None:
    address = ipaddress.ip_address(found())
    assert not address.is_unspecified
    assert not address.is_link_local
