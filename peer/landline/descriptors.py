"""How many files and connections this program may have open.

Strangers who connect take descriptors of a program that waits. It opens
nothing that lasts.
"""

import os
import resource
from contextlib import suppress
from errno import EMFILE, ENFILE

NEEDED = 48
"""More than a line and a request to the broker take."""


def allow_all() -> None:
    """Raise the soft limit to the hard one, where the system lets it be raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def lacked(error: Exception) -> bool:
    """Whether something failed, or may have, because too many files are open."""
    say = str(error)
    return any(os.strerror(code) in say for code in (EMFILE, ENFILE)) or _are_few()


def _are_few() -> bool:
    opened: list[int] = []
    try:
        while len(opened) < NEEDED:
            opened += os.pipe()
    except OSError:
        return True
    else:
        return False
    finally:
        for each in opened:
            os.close(each)
