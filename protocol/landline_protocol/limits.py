"""Every number that both sides must agree on, in one place.

Sizes are octets, times are seconds, unless a name says otherwise. SPEC.md
names each of them; nothing here is computed or read from anywhere.
"""

from typing import Final

# Names and passwords (SPEC section 4.1), in characters.
NAME_MIN: Final = 2
NAME_MAX: Final = 32
PASSWORD_MIN: Final = 8
PASSWORD_MAX: Final = 256

# Broker requests and replies (SPEC section 5).
REQUEST_ID_OCTETS: Final = 16
REQUEST_MAX: Final = 8_192
REPLY_MAX: Final = 262_144
HOST_MAX: Final = 255
WHO_PAGE_MAX: Final = 500

# Keys, identifiers and digests.
KEY_OCTETS: Final = 32
CALL_ID_OCTETS: Final = 16
CONVERSATION_ID_OCTETS: Final = 16
DIGEST_OCTETS: Final = 32

# Links (SPEC section 6).
TEXT_MAX: Final = 65_536
SAY_MAX: Final = 512
BATCH_ITEMS_MAX: Final = 4_096
BATCH_MAX: Final = 131_072
CHUNK_MAX: Final = 65_552  # a text of TEXT_MAX and what it needs around it
LINK_FRAME_MAX: Final = 135_168
WINDOW_MIN: Final = BATCH_MAX
WINDOW: Final = 1_048_576
WINDOW_MAX: Final = 67_108_864
NUMBER_MAX: Final = 2**63 - 1
ASKS_MAX: Final = 1_024
AT_MAX_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z

# Ports that a broker assigns: below Linux's ephemeral ports.
PORT_FIRST: Final = 20_000
PORT_LAST: Final = 32_767
PORT_MAX: Final = 65_535

# Timers (SPEC section 7).
HELLO_DEADLINE_S: Final = 5.0
DIAL_S: Final = 10.0
RING_S: Final = 45.0
REDIAL_S: Final = 120.0
REDIAL_DIAL_S: Final = 3.0
REDIAL_FIRST_MS: Final = 50
REDIAL_LONGEST_MS: Final = 5_000
FAREWELL_S: Final = 5.0
ACK_S: Final = 15.0
LEASE_S: Final = 60.0
CLAIM_S: Final = 15.0
SESSION_S: Final = 30 * 24 * 3600.0
HEARTBEAT_INTERVAL_MS: Final = 1_000
HEARTBEAT_TIMEOUT_MS: Final = 5_000
