"""The limits fit one another."""

from landline_protocol import limits
from landline_protocol.frames import Bye, Chunk, Text, encode_batch, encode_item

LONGEST = len(encode_item(Text(limits.AT_MAX_MS, "x" * limits.TEXT_MAX)))
LONGEST_BYE = len(
    encode_item(
        Bye(
            limits.AT_MAX_MS,
            bytes(limits.DIGEST_OCTETS),
            limits.NUMBER_MAX,
            bytes(limits.DIGEST_OCTETS),
        )
    )
)


def test_any_item_fits_into_a_batch() -> None:
    assert max(LONGEST, LONGEST_BYE) <= limits.BATCH_MAX


def test_any_batch_fits_into_a_frame() -> None:
    most = Chunk(limits.NUMBER_MAX, limits.BATCH_ITEMS_MAX, bytes(limits.BATCH_MAX))
    assert len(encode_batch(most)) <= limits.LINK_FRAME_MAX


def test_any_item_is_a_chunk_and_any_chunk_a_batch() -> None:
    assert max(LONGEST, LONGEST_BYE) == limits.CHUNK_MAX <= limits.BATCH_MAX


def test_a_window_of_which_a_quarter_is_held_back_takes_any_chunk() -> None:
    """Else a sender could wait for an update that never comes."""
    assert limits.CHUNK_MAX < limits.WINDOW_MIN - limits.WINDOW_MIN // 4


def test_windows_and_ports_are_in_order() -> None:
    assert limits.WINDOW_MIN <= limits.WINDOW <= limits.WINDOW_MAX
    assert limits.PORT_FIRST <= limits.PORT_LAST <= limits.PORT_MAX


def test_numbers_fit_into_the_columns_of_every_database() -> None:
    assert limits.NUMBER_MAX == 2**63 - 1


def test_a_lost_peer_is_noticed_before_its_lease_runs_out() -> None:
    assert limits.HEARTBEAT_INTERVAL_MS < limits.HEARTBEAT_TIMEOUT_MS
    assert limits.HEARTBEAT_TIMEOUT_MS / 1000 < limits.CLAIM_S < limits.LEASE_S
    assert limits.HELLO_DEADLINE_S < limits.DIAL_S < limits.CLAIM_S


def test_a_conversation_is_redialled_often_before_it_is_given_up() -> None:
    assert limits.REDIAL_FIRST_MS < limits.REDIAL_LONGEST_MS
    assert limits.REDIAL_LONGEST_MS / 1000 <= limits.FAREWELL_S < limits.REDIAL_S
    assert limits.REDIAL_DIAL_S < limits.FAREWELL_S
    assert limits.REDIAL_DIAL_S < limits.DIAL_S


def test_a_link_is_not_given_up_before_its_heartbeat_is_missed() -> None:
    assert limits.HEARTBEAT_TIMEOUT_MS / 1000 < limits.ACK_S < limits.REDIAL_S
