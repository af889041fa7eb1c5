"""Broker requests and replies as ZeroMQ frames (SPEC section 5.1 to 5.3).

Turns typed messages into lists of frames and back. Whatever octets arrive,
the outcome is a message or ``BadFrames``; no other exception leaves this
module.
"""

from dataclasses import dataclass

import msgspec

from landline_protocol import VERSION
from landline_protocol.errors import ErrorCode
from landline_protocol.limits import REQUEST_ID_OCTETS
from landline_protocol.messages import REQUESTS, Problem, Reply, Request

SIGNATURE = b"landline/%d" % VERSION
OK = b"ok"

_encoder = msgspec.msgpack.Encoder()
_requests = {
    operation.encode(): msgspec.msgpack.Decoder(request) for operation, request in REQUESTS.items()
}
_replies = {request.reply: msgspec.msgpack.Decoder(request.reply) for request in REQUESTS.values()}
_problem = msgspec.msgpack.Decoder(Problem)


class BadFrames(ValueError):
    """The frames are no message of this protocol version.

    ``code`` and the text are what a broker answers.
    """

    def __init__(self, code: ErrorCode, say: str) -> None:
        super().__init__(say)
        self.code = code


@dataclass(frozen=True)
class RequestFrames:
    """A request taken apart, its body still encoded."""

    operation: bytes
    request_id: bytes
    body: bytes


def encode_request(request: Request, request_id: bytes) -> list[bytes]:
    """Return ``[signature, operation, request id, body]``."""
    return [SIGNATURE, request.operation.encode(), request_id, _encoder.encode(request)]


def split_request(frames: list[bytes]) -> RequestFrames:
    """Take a request apart without decoding its body.

    Raises:
        BadFrames: ``bad-request``, ``version`` or ``unknown-operation``.
    """
    if not frames or not frames[0].startswith(b"landline/"):
        raise BadFrames(ErrorCode.BAD_REQUEST, "this is a Landline broker; use a Landline peer")
    if frames[0] != SIGNATURE:
        raise BadFrames(ErrorCode.VERSION, f"this broker speaks {SIGNATURE.decode()} only")
    if len(frames) != 4 or len(frames[2]) != REQUEST_ID_OCTETS:
        raise BadFrames(ErrorCode.BAD_REQUEST, "a request has four frames")
    _, operation, request_id, body = frames
    if operation not in _requests:
        raise BadFrames(ErrorCode.UNKNOWN_OPERATION, "this broker has no such operation")
    return RequestFrames(operation, request_id, body)


def decode_body(request: RequestFrames) -> Request:
    """Decode the body of a request.

    Raises:
        BadFrames: ``bad-request``.
    """
    try:
        body: Request = _requests[request.operation].decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrames(ErrorCode.BAD_REQUEST, f"the body is not valid: {error}"[:200]) from None
    return body


def encode_reply(reply: Reply, request_id: bytes) -> list[bytes]:
    """Return ``[signature, request id, "ok", body]``."""
    return [SIGNATURE, request_id, OK, _encoder.encode(reply)]


def encode_problem(problem: Problem, request_id: bytes) -> list[bytes]:
    """Return ``[signature, request id, error code, body]``."""
    return [SIGNATURE, request_id, problem.code.encode(), _encoder.encode(problem)]


def decode_reply(frames: list[bytes], request: Request, request_id: bytes) -> Reply | Problem:
    """Decode the reply to a request.

    Raises:
        BadFrames: the frames are not a reply to this very request.
    """
    if len(frames) != 4 or not frames[0].startswith(b"landline/"):
        raise BadFrames(ErrorCode.BAD_REQUEST, "the answer is not from a Landline broker")
    signature, answered, status, body = frames
    # A broker that does not speak our version still says so in the one shape
    # that never changes: an error reply.
    if answered != request_id or (status == OK and signature != SIGNATURE):
        raise BadFrames(ErrorCode.BAD_REQUEST, "the answer is not to this request")
    try:
        if status == OK:
            return _replies[request.reply].decode(body)
        problem = _problem.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrames(ErrorCode.BAD_REQUEST, f"the answer is not valid: {error}"[:200]) from None
    if problem.code.encode() != status:
        raise BadFrames(ErrorCode.BAD_REQUEST, "the answer gives two error codes")
    return problem
