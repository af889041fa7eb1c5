"""Invites: read, printed, refused."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline_protocol.invite import InvalidInvite, Invite, bracketed
from landline_protocol.limits import HOST_MAX, PORT_MAX

KEY = bytes(range(32))
TEXT = str(Invite("192.0.2.7", 7720, KEY))

hosts = st.one_of(
    st.text(string.ascii_lowercase + string.digits + ".-_", min_size=1, max_size=HOST_MAX),
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: f"{address}%eth0"),
)
invites = st.builds(Invite, hosts, st.integers(1, PORT_MAX), st.binary(min_size=32, max_size=32))


@given(invites)
def test_what_is_printed_is_read_again(invite: Invite) -> None:
    assert Invite.parse(str(invite)) == invite


@given(st.one_of(st.text(), st.text().map(lambda rest: "landline://" + rest)))
def test_any_text_is_an_invite_or_refused(text: str) -> None:
    try:
        invite = Invite.parse(text)
    except InvalidInvite:
        return
    assert Invite.parse(str(invite)) == invite


@given(st.data())
def test_an_invite_with_one_wrong_character_is_no_other_way_to_the_broker(
    data: st.DataObject,
) -> None:
    place = data.draw(st.integers(0, len(TEXT) - 1))
    changed = TEXT[:place] + data.draw(st.characters()) + TEXT[place + 1 :]
    try:
        invite = Invite.parse(changed)
    except InvalidInvite:
        return
    assert Invite.parse(str(invite)) == invite


def test_an_address_is_what_people_write() -> None:
    assert Invite("192.0.2.7", 7720, KEY).address == "192.0.2.7:7720"
    assert Invite("2001:db8::7", 7720, KEY).address == "[2001:db8::7]:7720"


def test_only_an_ipv6_address_stands_in_brackets() -> None:
    assert bracketed("::1") == "[::1]"
    assert bracketed("broker") == "broker"


@pytest.mark.parametrize("host", ["", "a" * (HOST_MAX + 1), "a b", "a/b", "*", "a;b", "a\n"])
def test_a_host_is_a_host(host: str) -> None:
    with pytest.raises(InvalidInvite, match="neither a host name nor an IP address"):
        Invite(host, 7720, KEY)


@pytest.mark.parametrize("port", [-1, 0, PORT_MAX + 1])
def test_a_port_is_a_port(port: int) -> None:
    with pytest.raises(InvalidInvite, match="from 1 to 65535"):
        Invite("broker", port, KEY)


@pytest.mark.parametrize("key", [b"", KEY[:31], KEY + b"x"])
def test_a_key_has_32_octets(key: bytes) -> None:
    with pytest.raises(InvalidInvite, match="32 octets"):
        Invite("broker", 7720, key)


@pytest.mark.parametrize(
    ("text", "say"),
    [
        (TEXT.replace("landline:", "http:"), "starts with landline://"),
        (TEXT.replace(":7720", ""), "host or the port is missing"),
        (TEXT.replace("192.0.2.7", ""), "host or the port is missing"),
        (TEXT.replace("7720", "77200"), "not a URL with a valid host and port"),
        (TEXT.replace("192", "alice@192"), "looks like landline://HOST:PORT"),
        (TEXT.replace("/?", "/broker?"), "looks like landline://HOST:PORT"),
        (TEXT + "#here", "looks like landline://HOST:PORT"),
        (TEXT.replace("key=", "yek="), "key is missing"),
        (f"{TEXT}&{TEXT.partition('?')[2]}", "key is missing"),
        (TEXT[:-1], "43 characters"),
        (TEXT[:-1] + "9", "43 characters"),
        (TEXT + "=", "43 characters"),
        (TEXT.partition("?")[0], "key is missing"),
        (TEXT.partition("=")[0], "not a URL"),
    ],
)
def test_the_line_says_what_is_wrong(text: str, say: str) -> None:
    with pytest.raises(InvalidInvite, match=say):
        Invite.parse(text)
