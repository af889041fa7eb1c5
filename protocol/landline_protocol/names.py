"""What a user name and a password may look like.

Checks and normal forms only (SPEC section 4.1): no hashing, no look-up. The
messages of the exceptions are written for the person who typed the input.
"""

import re
import unicodedata

from landline_protocol.limits import NAME_MAX, NAME_MIN, PASSWORD_MAX, PASSWORD_MIN

NAME = rf"\A[a-z][a-z0-9._-]{{{NAME_MIN - 1},{NAME_MAX - 1}}}\Z"
"""The one spelling of a name, as a regular expression."""

_NAME = re.compile(NAME)


class InvalidName(ValueError):
    """The text cannot be a user name."""


class InvalidPassword(ValueError):
    """The text cannot be a password."""


def canonical_name(text: str) -> str:
    """Return the one spelling of a user name: ``Alice`` and ``alice`` are the same.

    Raises:
        InvalidName: the text breaks a rule of SPEC section 4.1.
    """
    name = text.lower() if text.isascii() else text
    if _NAME.match(name) is None:
        raise InvalidName(
            f"a name has {NAME_MIN} to {NAME_MAX} characters: letters a-z, digits,"
            " '.', '_' or '-', and starts with a letter"
        )
    return name


def canonical_password(text: str) -> bytes:
    """Return the octets that stand for a password: UTF-8 of its NFC form.

    Raises:
        InvalidPassword: too short, too long, or not Unicode text.
    """
    normal = unicodedata.normalize("NFC", text)
    if not PASSWORD_MIN <= len(normal) <= PASSWORD_MAX:
        raise InvalidPassword(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    try:
        return normal.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidPassword("a password is Unicode text") from None
