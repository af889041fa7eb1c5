"""The CURVE key pair by which a device is known. It opens no socket."""

from dataclasses import dataclass, field

import zmq
from zmq.utils import z85

from landline.home import Home


@dataclass(frozen=True)
class DeviceKey:
    """The CURVE key pair of this device, 32 octets each."""

    public: bytes
    secret: bytes = field(repr=False)


def device_key(home: Home) -> DeviceKey:
    """Return the key of the device whose home this is; the first use makes it.

    Raises:
        HomeUnusable: it is damaged, or cannot be read or written.
    """
    secret = home.secret(_fresh_secret)
    return DeviceKey(z85.decode(zmq.curve_public(z85.encode(secret))), secret)


def _fresh_secret() -> bytes:
    return z85.decode(zmq.curve_keypair()[1])
