"""Landline: direct, end-to-end-encrypted chat between people on one network.

The public Python API. Everything that is named here is stable; everything
else may change. Names are loaded when they are first used, so that a command
pays only for what it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from landline.conversation import Conversation
    from landline.errors import LandlineError
    from landline.events import Delivered, Ended, Message, SaidBye
    from landline.peer import Peer
    from landline.waiting import IncomingCall, Waiting

_HOMES = {
    "Conversation": "landline.conversation",
    "Delivered": "landline.events",
    "Ended": "landline.events",
    "IncomingCall": "landline.waiting",
    "LandlineError": "landline.errors",
    "Message": "landline.events",
    "Peer": "landline.peer",
    "SaidBye": "landline.events",
    "Waiting": "landline.waiting",
}

__all__ = [
    "Conversation",
    "Delivered",
    "Ended",
    "IncomingCall",
    "LandlineError",
    "Message",
    "Peer",
    "SaidBye",
    "Waiting",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'landline' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
