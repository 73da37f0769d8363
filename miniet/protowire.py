"""The few lines of protobuf's wire format that the core and the files need.

Why not the protobuf library everywhere: its messages live in native memory that
tracemalloc cannot see, so none may be kept by a component, and the core imports no
library that allocates behind its back. What is kept or stored byte for byte
(`KeyValue`, WAL records, raft entries) is therefore put together here, from
these pieces; requests and replies go through `miniet.pb`. Tests hold the two
against each other.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
LENGTH_DELIMITED: Final = 2
FIXED32: Final = 5

_UINT64_MASK: Final = (1 << 64) - 1
_LAST: Final = [bytes((value,)) for value in range(128)]
_CONTINUED: Final = [bytes((value | 128,)) for value in range(128)]


def varint(value: int) -> bytes:
    """Encode `value` as a varint; negative numbers as 64-bit two's complement."""
    if 0 <= value < 128:
        return _LAST[value]
    if 0 <= value < 16_384:
        return _CONTINUED[value & 127] + _LAST[value >> 7]
    if value < 0:
        value &= _UINT64_MASK
    # Revisions, indexes and ids count up, so that all but the low seven bits repeat.
    return _CONTINUED[value & 127] + _upper(value >> 7)


def rare_varint(value: int) -> bytes:
    """Encode a number from 0 on that is not like any other, as a checksum is."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


_upper: Final = lru_cache(maxsize=256)(rare_varint)


def signed64(value: int) -> int:
    """Read an unsigned 64-bit varint value as a signed int64."""
    return value - (1 << 64) if value >> 63 else value


def read_varint(buffer: bytes | memoryview, position: int) -> tuple[int, int]:
    """Decode the varint at `position`.

    Returns:
        (value, position after it): value as an unsigned 64-bit number.
    Raises:
        ValueError: the buffer ends inside it, or it is longer than ten bytes.
    """
    value = shift = 0
    try:
        while True:
            byte = buffer[position]
            position += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & _UINT64_MASK, position
            shift += 7
            if shift > 63:
                raise ValueError(f"varint longer than ten bytes at {position}")
    except IndexError:
        raise ValueError(f"buffer ends inside a varint at {position}") from None


def fields(
    buffer: bytes | memoryview,
) -> Iterator[tuple[int, int | memoryview]]:
    """Walk the fields of an encoded message.

    Yields:
        (field number, value): an unsigned int for varint and fixed fields, a
        view into `buffer` for length-delimited ones.
    Raises:
        ValueError: the buffer is not a whole message.
    """
    view = memoryview(buffer)
    position, end = 0, len(view)
    while position < end:
        tag, position = read_varint(view, position)
        kind = tag & 7
        if tag < 8:
            raise ValueError(f"field number 0 at {position}")
        if kind == VARINT:
            value, position = read_varint(view, position)
            yield tag >> 3, value
            continue
        if kind == LENGTH_DELIMITED:
            length, position = read_varint(view, position)
        elif kind == FIXED64:
            length = 8
        elif kind == FIXED32:
            length = 4
        else:
            raise ValueError(f"unknown wire type {kind} at {position}")
        if position + length > end:
            raise ValueError(f"buffer ends inside field {tag >> 3}")
        chunk = view[position : position + length]
        position += length
        yield (
            tag >> 3,
            chunk if kind == LENGTH_DELIMITED else int.from_bytes(chunk, "little"),
        )
