"""HTTP/2 frames: their kinds and flags, and how they are written.

    0        3      4       5               9
    | length | type | flags | stream        | payload, `length` bytes ...

Source: RFC 9113, sections 4.1 and 6.
"""

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import Final

HEADER_BYTES: Final = 9
PAYLOAD_BYTES_MAX: Final = 16_384
"""The largest payload we take: the protocol's default. The largest we send, too."""
WINDOW_MAX: Final = 2**31 - 1
STREAM_ID_MASK: Final = 2**31 - 1
"""One bit is reserved, and to be ignored."""

_HEADER: Final = Struct(">HBBBL")
_pack_header: Final = _HEADER.pack
read_header: Final = _HEADER.unpack_from
"""Reads high and low part of the length, type, flags, reserved bit and stream."""
_UINT32: Final = Struct(">L")
_SETTING: Final = Struct(">HL")


class FrameType(IntEnum):
    """What a frame is; others are to be ignored."""

    DATA = 0x0
    HEADERS = 0x1
    PRIORITY = 0x2
    RST_STREAM = 0x3
    SETTINGS = 0x4
    PUSH_PROMISE = 0x5
    PING = 0x6
    GOAWAY = 0x7
    WINDOW_UPDATE = 0x8
    CONTINUATION = 0x9


END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20


class Setting(IntEnum):
    """The parameters of SETTINGS that mean anything here."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


def frame(kind: FrameType, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Write a frame."""
    return frame_header(len(payload), kind, flags, stream_id) + payload


def frame_header(length: int, kind: FrameType, flags: int, stream_id: int) -> bytes:
    """Write the nine bytes in front of a payload of `length` bytes."""
    return _pack_header(length >> 8, length & 255, kind, flags, stream_id)


def read_uint32(data: bytes | memoryview) -> int:
    """Read the first four bytes."""
    value: int = _UINT32.unpack_from(data)[0]
    return value


def settings(values: Mapping[Setting, int]) -> bytes:
    """Write a SETTINGS frame."""
    payload = b"".join(_SETTING.pack(*pair) for pair in values.items())
    return frame(FrameType.SETTINGS, 0, 0, payload)


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Return (parameter, value) in order; the length is known to fit."""
    return list(_SETTING.iter_unpack(payload))


def window_update(stream_id: int, increment: int) -> bytes:
    """Write a WINDOW_UPDATE."""
    payload = _UINT32.pack(increment)
    return frame(FrameType.WINDOW_UPDATE, 0, stream_id, payload)


def rst_stream(stream_id: int, code: int) -> bytes:
    """Write a RST_STREAM."""
    return frame(FrameType.RST_STREAM, 0, stream_id, _UINT32.pack(code))


def goaway(last_stream_id: int, code: int, text: str = "") -> bytes:
    """Write a GOAWAY; `text` is for whoever reads the client's log."""
    payload = _UINT32.pack(last_stream_id) + _UINT32.pack(code) + text.encode()
    return frame(FrameType.GOAWAY, 0, 0, payload)


def ping(payload: bytes, flags: int = 0) -> bytes:
    """Write a PING of eight bytes."""
    return frame(FrameType.PING, flags, 0, payload)
