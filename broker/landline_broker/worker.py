"""A worker: takes one request after the other off its lane and answers each.

Owns one REP socket and one held database connection. Whatever happens to a
request, an answer goes back: a REP that does not answer is stuck.
"""

import logging
import secrets

import zmq

from landline_broker.context import Context, read_peer
from landline_broker.frames import send_frames
from landline_broker.handlers import HANDLERS, Services
from landline_broker.refusal import Refused, from_store
from landline_protocol.codec import (
    BadFrames,
    RequestFrames,
    decode_body,
    encode_problem,
    encode_reply,
)
from landline_protocol.errors import ErrorCode
from landline_protocol.messages import Problem, Reply
from landline_sql.errors import StoreError

STOP = b"stop"

log = logging.getLogger("landline.broker")


def work(context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str, services: Services) -> None:
    """Answer requests until told to stop."""
    with context.socket(zmq.REP) as socket:
        socket.linger = 0
        socket.connect(endpoint)
        try:
            while (frames := socket.recv_multipart()) != [STOP]:
                send_frames(socket, answer(frames, services))
        except zmq.ContextTerminated:
            return
        finally:
            services.store.release()


def answer(frames: list[bytes], services: Services) -> list[bytes]:
    """Return the reply to ``[context, operation, request id, body]``."""
    peer, operation, request_id, body = frames
    request = RequestFrames(operation, request_id, body)
    try:
        context = Context(read_peer(peer), request_id)
        return encode_reply(_handle(context, request, services), request_id)
    except (Refused, BadFrames, StoreError) as error:
        return encode_problem(_problem(error), request_id)
    except Exception as error:  # noqa: BLE001  (whatever it is, the peer gets an answer)
        return encode_problem(_incident(operation, error), request_id)


def _handle(context: Context, request: RequestFrames, services: Services) -> Reply:
    asked = decode_body(request)
    return HANDLERS[type(asked)](context, asked, services)


def _problem(error: Refused | BadFrames | StoreError) -> Problem:
    if isinstance(error, BadFrames):
        return Problem(error.code, str(error))
    refused = error if isinstance(error, Refused) else from_store(error)
    return refused.problem() if refused is not None else _incident(b"store", error)


def _incident(operation: bytes, error: Exception) -> Problem:
    incident = secrets.token_hex(6)
    log.error("incident %s in %s", incident, operation.decode(), exc_info=error)
    say = f"the broker failed; tell whoever runs it: incident {incident}"
    return Problem(ErrorCode.INTERNAL, say, incident=incident)
