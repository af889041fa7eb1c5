"""What a user typed, checked before anything is asked of a broker.

The rules are the protocol's; here their refusals become errors that end a
command.
"""

from landline.errors import InvalidInput
from landline_protocol.names import (
    InvalidName,
    InvalidPassword,
    canonical_name,
    canonical_password,
)


def checked_name(name: str) -> str:
    """Return the one spelling of a name.

    Raises:
        InvalidInput: it can be nobody's name.
    """
    try:
        return canonical_name(name)
    except InvalidName as error:
        raise InvalidInput(str(error)) from None


def checked_password(password: str) -> str:
    """Return the password as it was typed.

    Raises:
        InvalidInput: nobody can have such a password.
    """
    try:
        canonical_password(password)
    except InvalidPassword as error:
        raise InvalidInput(str(error)) from None
    return password
