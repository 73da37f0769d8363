"""What each frame of a client means: plain functions on the `Session`."""

from collections.abc import Callable
from typing import Final

from miniet.wire import frames
from miniet.wire.errors import CallRefusedError, ErrorCode, PeerError, StreamError
from miniet.wire.events import CallAborted, CallStarted, MessageReceived, RequestEnded
from miniet.wire.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HAS_PRIORITY,
    PADDED,
    WINDOW_MAX,
    FrameType,
    Setting,
)
from miniet.wire.headers import (
    RESPONSE_BLOCK,
    HttpRefusalError,
    http_refusal,
    trailers,
)
from miniet.wire.session import Session
from miniet.wire.stream import Stream

DRAIN_PING: Final = b"draining"
"""Answered by the client once it has read our GOAWAY."""
_SMALL_INCREMENT_BYTES: Final = 1_024


def take_frame(
    session: Session, kind: int, flags: int, stream_id: int, payload: bytes
) -> None:
    """Take up one complete frame.

    Raises:
        PeerError: the connection cannot go on.
    """
    if session.block_stream_id and (
        kind != FrameType.CONTINUATION or stream_id != session.block_stream_id
    ):
        raise _protocol_error("another frame inside a header block")
    if not session.has_settings:
        if kind != FrameType.SETTINGS or flags & ACK:
            raise _protocol_error("the first frame is not SETTINGS")
        session.has_settings = True
    handler = _HANDLERS.get(kind)
    if handler is None:
        session.spend()
        return
    try:
        handler(session, flags, stream_id, payload)
    except StreamError as error:
        session.reset(error.stream_id, error.code)
    except CallRefusedError as refusal:
        session.events.append(CallAborted(stream_id, ErrorCode.NO_ERROR))
        session.end(session.streams[stream_id], refusal.status, refusal.text)


# ---- requests


def _on_headers(session: Session, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id % 2 == 0:
        raise _protocol_error(f"a client's call on stream {stream_id}")
    block = _unpadded(payload) if flags & PADDED else payload
    if flags & HAS_PRIORITY:
        if len(block) < 5:
            raise PeerError(ErrorCode.FRAME_SIZE_ERROR, "a short HEADERS frame")
        _check_dependency(session, stream_id, block)
        block = block[5:]
    session.block_flags = flags
    if flags & END_HEADERS:
        _take_block(session, stream_id, block)
        return
    session.block_stream_id = stream_id
    session.block[:] = block


def _on_continuation(
    session: Session, flags: int, stream_id: int, payload: bytes
) -> None:
    if not session.block_stream_id:
        raise _protocol_error("CONTINUATION outside a header block")
    session.spend()
    session.block += payload
    if len(session.block) > session.limits.header_list_bytes_max:
        raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, "the header block is too long")
    if flags & END_HEADERS:
        session.block_stream_id = 0
        block = bytes(session.block)
        session.block.clear()
        _take_block(session, stream_id, block)


def _take_block(session: Session, stream_id: int, block: bytes) -> None:
    stream = session.streams.get(stream_id)
    if stream is not None:
        if stream.is_remote_ended:
            session.headers.skip(block)
            raise StreamError(stream_id, ErrorCode.STREAM_CLOSED)
        session.headers.read_trailers(stream_id, block)
        if not session.block_flags & END_STREAM:
            raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR)
        _end_request(session, stream)
        return
    if stream_id <= session.last_stream_id:
        raise PeerError(
            ErrorCode.STREAM_CLOSED, f"HEADERS on closed stream {stream_id}"
        )
    if session.is_final:
        session.headers.skip(block)
        return
    session.last_stream_id = stream_id
    if len(session.streams) >= session.limits.concurrent_streams_max:
        session.headers.skip(block)
        raise StreamError(stream_id, ErrorCode.REFUSED_STREAM)
    _open(session, stream_id, block)


def _open(session: Session, stream_id: int, block: bytes) -> None:
    try:
        call = session.headers.read_call(stream_id, block)
    except HttpRefusalError as error:
        session.sender.headers(
            stream_id, http_refusal(error.status), END_HEADERS | END_STREAM
        )
        _tell_to_stop(session, stream_id)
        return
    except CallRefusedError as refusal:
        session.sender.headers(
            stream_id,
            RESPONSE_BLOCK + trailers(refusal.status, refusal.text),
            END_HEADERS | END_STREAM,
        )
        _tell_to_stop(session, stream_id)
        return
    stream = session.streams[stream_id] = Stream(
        stream_id,
        call,
        session.sender.initial_window,
        session.limits.window_bytes,
    )
    session.events.append(CallStarted(stream_id, call))
    if session.block_flags & END_STREAM:
        _end_request(session, stream)


def _on_data(session: Session, flags: int, stream_id: int, payload: bytes) -> None:
    if not stream_id:
        raise _protocol_error("DATA on stream 0")
    session.receiver.count(len(payload))
    stream = session.streams.get(stream_id)
    if stream is None:
        _check_not_idle(session, stream_id)
        session.receiver.give_back(len(payload))
        session.spend()
        if stream_id in session.recently_ended:
            return  # sent before the client could know
        raise StreamError(stream_id, ErrorCode.STREAM_CLOSED)
    is_last = bool(flags & END_STREAM)
    if not payload and not is_last:
        session.spend()
    data = _unpadded(payload) if flags & PADDED else payload
    messages = session.receiver.take_data(stream, len(payload), data, is_last=is_last)
    for position, message in enumerate(messages, 1):
        ends = is_last and position == len(messages)
        session.events.append(MessageReceived(stream_id, message, ends))
    if is_last:
        _end_request(session, stream, announced=bool(messages))


def _end_request(session: Session, stream: Stream, *, announced: bool = False) -> None:
    stream.is_remote_ended = True
    expected = stream.call.content_length
    if expected is not None and expected != stream.received_bytes:
        raise StreamError(stream.stream_id, ErrorCode.PROTOCOL_ERROR)
    if not announced:
        session.events.append(RequestEnded(stream.stream_id))


def _on_rst_stream(
    session: Session, flags: int, stream_id: int, payload: bytes
) -> None:
    if len(payload) != 4:
        raise PeerError(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of a wrong size")
    if not stream_id:
        raise _protocol_error("RST_STREAM on stream 0")
    _check_not_idle(session, stream_id)
    stream = session.streams.get(stream_id)
    if stream is None:
        session.spend()
        return
    session.close(stream)
    session.events.append(CallAborted(stream_id, frames.read_uint32(payload)))
    session.spend_reset()


# ---- the connection itself


def _on_settings(session: Session, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id:
        raise _protocol_error("SETTINGS on a stream")
    if len(payload) % 6 or (flags & ACK and payload):
        raise PeerError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a wrong size")
    if flags & ACK:
        return
    session.spend()
    for name, value in frames.read_settings(payload):
        _set(session, name, value)
    session.sender.control(frames.frame(FrameType.SETTINGS, ACK, 0, b""))


def _set(session: Session, name: int, value: int) -> None:
    if name == Setting.ENABLE_PUSH and value > 1:
        raise _protocol_error(f"ENABLE_PUSH is {value}")
    if name == Setting.MAX_FRAME_SIZE and not 1 << 14 <= value < 1 << 24:
        raise _protocol_error(f"MAX_FRAME_SIZE is {value}")
    if name == Setting.INITIAL_WINDOW_SIZE:
        if value > WINDOW_MAX:
            raise PeerError(
                ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE is {value}"
            )
        change = value - session.sender.initial_window
        session.sender.initial_window = value
        for stream in session.streams.values():
            stream.send_window += change
            if stream.send_window > WINDOW_MAX:
                raise PeerError(
                    ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is too large"
                )


def _on_window_update(
    session: Session, flags: int, stream_id: int, payload: bytes
) -> None:
    if len(payload) != 4:
        raise PeerError(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size")
    increment = frames.read_uint32(payload) & WINDOW_MAX
    if increment < _SMALL_INCREMENT_BYTES:
        session.spend()
    _check_not_idle(session, stream_id)
    if not increment:
        if not stream_id:
            raise _protocol_error("WINDOW_UPDATE of 0 bytes")
        raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR)
    if not stream_id:
        session.sender.widen(increment)
    elif (stream := session.streams.get(stream_id)) is not None:
        session.sender.widen_stream(stream, increment)


def _on_ping(session: Session, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id:
        raise _protocol_error("PING on a stream")
    if len(payload) != 8:
        raise PeerError(ErrorCode.FRAME_SIZE_ERROR, "PING of a wrong size")
    session.spend()
    if flags & ACK:
        if payload == DRAIN_PING:
            # All that was on its way when the client heard has arrived.
            session.is_final = True
            session.sender.control(
                frames.goaway(session.last_stream_id, ErrorCode.NO_ERROR)
            )
        return
    session.sender.control(frames.ping(payload, ACK))
    if not session.pings.admits(session.now_s, has_streams=bool(session.streams)):
        raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")


def _on_goaway(session: Session, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id:
        raise _protocol_error("GOAWAY on a stream")
    if len(payload) < 8:
        raise PeerError(ErrorCode.FRAME_SIZE_ERROR, "a short GOAWAY")
    # The client opens no more streams; those that are open go on.
    session.spend()


def _on_priority(session: Session, flags: int, stream_id: int, payload: bytes) -> None:
    if not stream_id:
        raise _protocol_error("PRIORITY on stream 0")
    if len(payload) != 5:
        raise StreamError(stream_id, ErrorCode.FRAME_SIZE_ERROR)
    session.spend()
    _check_dependency(session, stream_id, payload)


def _on_push_promise(
    session: Session, flags: int, stream_id: int, payload: bytes
) -> None:
    raise _protocol_error("PUSH_PROMISE from a client")


def _check_dependency(session: Session, stream_id: int, priority: bytes) -> None:
    if frames.read_uint32(priority) & WINDOW_MAX == stream_id:
        raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR)


def _check_not_idle(session: Session, stream_id: int) -> None:
    if stream_id > session.last_stream_id and not session.is_final:
        raise _protocol_error(f"a frame on idle stream {stream_id}")


def _tell_to_stop(session: Session, stream_id: int) -> None:
    """The response is complete: a client that has more to send need not."""
    if not session.block_flags & END_STREAM:
        session.tell_reset(stream_id, ErrorCode.NO_ERROR)


def _protocol_error(text: str) -> PeerError:
    return PeerError(ErrorCode.PROTOCOL_ERROR, text)


def _unpadded(payload: bytes) -> bytes:
    """Return a payload without its padding.

    Raises:
        PeerError: the padding is as long as the payload, or longer.
    """
    if not payload or payload[0] >= len(payload):
        raise _protocol_error("more padding than payload")
    return payload[1 : len(payload) - payload[0]]


_HANDLERS: Final[dict[int, Callable[[Session, int, int, bytes], None]]] = {
    FrameType.DATA: _on_data,
    FrameType.HEADERS: _on_headers,
    FrameType.PRIORITY: _on_priority,
    FrameType.RST_STREAM: _on_rst_stream,
    FrameType.SETTINGS: _on_settings,
    FrameType.PUSH_PROMISE: _on_push_promise,
    FrameType.PING: _on_ping,
    FrameType.GOAWAY: _on_goaway,
    FrameType.WINDOW_UPDATE: _on_window_update,
    FrameType.CONTINUATION: _on_continuation,
}
"""By type; a frame of another type is to be ignored."""
