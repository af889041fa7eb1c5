"""Addresses: what a peer may name, what the broker saw, what an invite says.

It never looks a name up, and sends nothing.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass

from landline_protocol.invite import bracketed
from landline_protocol.limits import HOST_MAX, PORT_MAX

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NOWHERE = "192.0.2.1"  # RFC 5737: reserved for documentation
_LISTEN = re.compile(r"tcp://(?P<host>\*|\[[^\]]+\]|[^:\[\]]+):(?P<port>\*|\d{1,5})")


class BadAddress(ValueError):
    """The text is no address that a socket could use."""


@dataclass(frozen=True)
class Listen:
    """Where the broker listens: an IP address or ``*``, and a port, 0 for any."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://{bracketed(self.host)}:{self.port or '*'}"

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Read ``tcp://HOST:PORT``.

        Raises:
            BadAddress
        """
        match = _LISTEN.fullmatch(text)
        if match is None:
            raise BadAddress("write tcp://ADDRESS:PORT, for example tcp://*:7720")
        host, port = match["host"].strip("[]"), match["port"].replace("*", "0")
        if host != "*":
            _literal(host)
        if int(port) > PORT_MAX:
            raise BadAddress(f"the port is a number from 0 to {PORT_MAX}")
        return cls(host, int(port))

    @property
    def is_specific(self) -> bool:
        """Whether it names one address of the machine rather than all."""
        return self.host != "*" and not ipaddress.ip_address(self.host).is_unspecified


def normal_address(seen: str) -> str:
    """Return the one spelling of an address that a socket reports.

    An IPv4 address mapped into IPv6 becomes the IPv4 address; a scope, which
    means nothing on another machine, goes.
    """
    address = ipaddress.ip_address(seen.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def is_loopback(address: str) -> bool:
    """Whether an address in its normal spelling is this machine's own."""
    return ipaddress.ip_address(address).is_loopback


def published_host(text: str) -> str:
    """Return the one spelling of a host that a peer names for itself.

    Raises:
        BadAddress: it is neither an IP address to connect to nor a host name.
    """
    host = text.removeprefix("[").removesuffix("]").lower()
    try:
        normal = normal_address(host)
    except ValueError:
        return _host_name(host)
    if "%" in host:
        raise BadAddress("an address with a scope means nothing on another machine")
    address = ipaddress.ip_address(normal)
    if address.is_unspecified or address.is_multicast:
        raise BadAddress("nobody can connect to that address")
    return normal


def invite_host(listen: Listen, advertise: str | None) -> str:
    """Return the host that goes into the invite."""
    if advertise is not None:
        return advertise
    return listen.host if listen.is_specific else lan_address()


def lan_address() -> str:
    """Return the address by which others on the network reach this machine.

    The one that the default route leaves from, else ``interface_address``.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_NOWHERE, 9))  # chooses a route; sends nothing
        except OSError:
            return interface_address()
        address: str = probe.getsockname()[0]
    return address if not is_loopback(address) else interface_address()


def interface_address() -> str:
    """Return the first IPv4, else global IPv6 address of the interfaces, else 127.0.0.1."""
    import ifaddr  # noqa: PLC0415  (not needed where there is a default route)

    addresses = [
        ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    usable = [a for a in addresses if not a.is_loopback and not a.is_link_local]
    usable.sort(key=lambda address: address.version)
    return str(usable[0]) if usable else "127.0.0.1"


def _literal(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise BadAddress("the address to listen on is an IP address or *") from None


def _host_name(host: str) -> str:
    labels = host.removesuffix(".").split(".")
    if len(host) > HOST_MAX or not all(map(_LABEL.fullmatch, labels)):
        raise BadAddress("a host is an IP address or a host name")
    if labels[-1].isdigit():
        raise BadAddress("that is no IP address and cannot be a host name")
    return ".".join(labels)
