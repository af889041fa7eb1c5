"""The invite: the one line that tells a peer where a broker is and how to know it.

Parses and prints ``landline://HOST:PORT/?key=BASE64URL`` (SPEC section 4.2).
It never looks a host name up.
"""

import base64
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from landline_protocol.limits import HOST_MAX, KEY_OCTETS, PORT_MAX

SCHEME = "landline"

HOST = r"\A(?:[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._~-]+)?)\Z"
"""A host name, an IPv4 address, or an IPv6 address with or without a zone.

Other characters would mean something in a URL or in a ZeroMQ endpoint.
"""

_HOST = re.compile(HOST)
_KEY = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


class InvalidInvite(ValueError):
    """The text is not an invite."""


@dataclass(frozen=True)
class Invite:
    """A broker's address and its CURVE public key (32 octets)."""

    host: str
    port: int
    key: bytes

    def __post_init__(self) -> None:
        if len(self.host) > HOST_MAX or _HOST.match(self.host) is None:
            raise InvalidInvite("the host is neither a host name nor an IP address")
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
        if "@" in parts.netloc or parts.path not in {"", "/"} or parts.fragment:
            raise InvalidInvite(f"it looks like {SCHEME}://HOST:PORT/?key=KEY")
        return cls(host, port, _key(fields.get("key", [])))


def bracketed(host: str) -> str:
    """Write a host as it stands before a port: an IPv6 address gets brackets."""
    return f"[{host}]" if ":" in host else host


def _key(values: list[str]) -> bytes:
    if len(values) != 1:
        raise InvalidInvite("the key is missing")
    if _KEY.fullmatch(values[0]) is None:
        raise InvalidInvite("the key is not 43 characters of base64url")
    return base64.urlsafe_b64decode(values[0] + "=")
