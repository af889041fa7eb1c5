"""The invite: the one line that tells a peer where a broker is and how to know it.

Parses and prints ``landline://HOST:PORT/?key=BASE64URL`` (SPEC section 4.2).
It never looks a host name up.
"""

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from landline_protocol.limits import HOST_MAX, KEY_OCTETS, PORT_MAX

SCHEME = "landline"


class InvalidInvite(ValueError):
    """The text is not an invite."""


@dataclass(frozen=True)
class Invite:
    """A broker's address and its CURVE public key (32 octets)."""

    host: str
    port: int
    key: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.host) <= HOST_MAX or not self.host.isprintable():
            raise InvalidInvite(f"the host has 1 to {HOST_MAX} printable characters")
        if not 0 < self.port <= PORT_MAX:
            raise InvalidInvite(f"the port is a number from 1 to {PORT_MAX}")
        if len(self.key) != KEY_OCTETS:
            raise InvalidInvite(f"the key has {KEY_OCTETS} octets")

    def __str__(self) -> str:
        key = base64.urlsafe_b64encode(self.key).rstrip(b"=").decode("ascii")
        return f"{SCHEME}://{bracketed(self.host)}:{self.port}/?key={key}"

    @property
    def address(self) -> str:
        """``host:port`` as people write it, IPv6 addresses in brackets."""
        return f"{bracketed(self.host)}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Invite":
        """Read an invite.

        Raises:
            InvalidInvite: with a line that says which part is wrong.
        """
        try:
            parts = urlsplit(text.strip())
            host, port = parts.hostname, parts.port
            fields = parse_qs(parts.query, strict_parsing=bool(parts.query))
        except ValueError:
            raise InvalidInvite("not a URL with a valid host and port") from None
        if parts.scheme != SCHEME:
            raise InvalidInvite(f"it starts with {SCHEME}://")
        if host is None or port is None:
            raise InvalidInvite("the host or the port is missing")
        return cls(host, port, _key(fields.get("key", [])))


def bracketed(host: str) -> str:
    """Write a host as it stands before a port: an IPv6 address gets brackets."""
    return f"[{host}]" if ":" in host else host


def _key(values: list[str]) -> bytes:
    if len(values) != 1:
        raise InvalidInvite("the key is missing")
    text = values[0]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInvite("the key is not base64url") from None
