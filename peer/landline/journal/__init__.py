"""The journal: what a peer has sent and received, and what waits to be sent.

One SQLite file for each user and broker. Its row is the chunk: a run of items
of one direction, as they crossed the wire.

``records``     what is told about what is stored
``file``        the connection, its transactions, and what its errors mean
``schema``      the tables, and how older ones become these
``journal``     the front door: conversations, and storing their chunks
``outbox``      texts that belong to no conversation yet
``past``        what was said: reading, searching
``forgetting``  taking chunks out again, so that nothing of them is left
"""

from landline.journal.journal import Journal
from landline.journal.records import (
    Beginning,
    KeptConversation,
    Pending,
    Posted,
    Progress,
    Record,
)

__all__ = [
    "Beginning",
    "Journal",
    "KeptConversation",
    "Pending",
    "Posted",
    "Progress",
    "Record",
]
