"""Passwords: hashed and checked with bcrypt, never kept.

bcrypt takes 72 octets at most and stops at a NUL, so it gets an HMAC of the
password. A check against nobody costs what a check against somebody costs.
"""

import base64
import hashlib
import hmac
from typing import Final

import bcrypt

COST: Final = 12

_KEY: Final = b"landline-password-v1"


class Passwords:
    """Hashes at one cost. Safe to share between threads: bcrypt lets go of the GIL."""

    def __init__(self, cost: int = COST) -> None:
        self._cost = cost
        self.nobody = bcrypt.gensalt(cost) + b"." * 31
        """A hash that no password has, made without the cost of making one."""

    def hash(self, password: bytes) -> bytes:
        """Return the bcrypt hash of a canonical password."""
        return bcrypt.hashpw(_condensed(password), bcrypt.gensalt(self._cost))

    def check(self, password: bytes, expected: bytes | None) -> bool:
        """Whether the password is the one that was hashed; no hash means no user."""
        same = bcrypt.checkpw(_condensed(password), expected or self.nobody)
        return same and expected is not None

    def is_dated(self, secret: bytes) -> bool:
        """Whether a hash is of another cost than the present one."""
        return int(secret.split(b"$")[2]) != self._cost


def _condensed(password: bytes) -> bytes:
    return base64.b64encode(hmac.digest(_KEY, password, hashlib.sha256))
