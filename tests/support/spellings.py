"""Looks for a text in captured octets, in every spelling that would still give it away.

It takes no account of compression: nothing here compresses.
"""

from __future__ import annotations

import base64


def found(text: str, capture: bytes) -> list[str]:
    """Return the names of the spellings in which `text` stands in `capture`."""
    folded = capture.lower()
    return [
        name
        for name, octets in spellings(text).items()
        if octets in (folded if name.startswith("hex") else capture)
    ]


def spellings(text: str) -> dict[str, bytes]:
    """Return the text in UTF-8 and UTF-16, and both of these in hexadecimal and base64."""
    plain = {
        "utf-8": text.encode(),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
    }
    spelt = dict(plain)
    for name, octets in plain.items():
        spelt[f"hex of {name}"] = octets.hex().encode()
        for shift in range(3):
            standard = _base64(octets, shift)
            spelt[f"base64 of {name}, shifted by {shift}"] = standard
            spelt[f"base64url of {name}, shifted by {shift}"] = standard.translate(_URL_SAFE)
    return spelt


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _base64(octets: bytes, shift: int) -> bytes:
    """Return the part of the base64 that depends on these octets alone.

    `shift` is how many octets stand before them in their group of three.
    """
    first, last = -(-8 * shift // 6), 8 * (shift + len(octets)) // 6
    return base64.b64encode(bytes(shift) + octets)[first:last]
