"""One record of the log as bytes: length field, protobuf, padding. Pure.

    0        8                                   8-aligned
    | length | 08 type 10 crc [1a size data] | 00.. |
      bits 0..55  bytes of the record, without padding
      bits 56..63 0, or 128 + number of padding bytes

The running CRC covers the data alone. What it does not cover has one legal form
only, so `split_length` and `parse` refuse every other: a damaged type, length or
padding is seen as surely as damaged data.

Source: etcd v3.4.9 wal/encoder.go, wal/decoder.go, wal/walpb/record.proto.
"""

from enum import IntEnum
from typing import Final

from crc32c import crc32c

from miniet.protowire import rare_varint, read_varint, varint

LENGTH_BYTES: Final = 8
"""Size of the field before each record; also the alignment of records."""

SECTOR_BYTES: Final = 512
"""What a disk writes whole or not at all."""


class RecordType(IntEnum):
    """What a record's data is."""

    METADATA = 1
    ENTRY = 2
    STATE = 3
    CRC = 4
    SNAPSHOT = 5


_HEADS: Final = (b"", *(b"\x08%c\x10" % kind for kind in RecordType))  # by type
_PADDING: Final = tuple(bytes(count) for count in range(LENGTH_BYTES))
_TOP_BYTES: Final = (0, *((0x80 | count) << 56 for count in range(1, LENGTH_BYTES)))
_SIZE_MASK: Final = (1 << 56) - 1


def frame(kind: RecordType, crc: int, data: bytes | None) -> bytes:
    """Frame one record, ready to be written.

    Args:
        kind: type of the record.
        crc: running CRC after `data`; for a CRC record, the value it carries.
        data: None for a CRC record only.
    Cost: 0.9 us plus a copy of the data.
    """
    if crc >= 1 << 28:  # 15 of 16; a third faster than the loop in `varint`
        crc_bytes = bytes(
            (
                crc & 127 | 128,
                crc >> 7 & 127 | 128,
                crc >> 14 & 127 | 128,
                crc >> 21 & 127 | 128,
                crc >> 28,
            )
        )
    else:
        crc_bytes = rare_varint(crc)
    if data is None:
        size_bytes = data = b""
    else:
        size_bytes = b"\x1a" + varint(len(data))
    size = 3 + len(crc_bytes) + len(size_bytes) + len(data)
    padding = -size & 7
    return b"".join(
        (
            (size | _TOP_BYTES[padding]).to_bytes(LENGTH_BYTES, "little"),
            _HEADS[kind],
            crc_bytes,
            size_bytes,
            data,
            _PADDING[padding],
        )
    )


def split_length(field: int) -> tuple[int, int]:
    """Split a length field that is not 0.

    Returns:
        (record bytes, padding bytes).
    Raises:
        ValueError: no record has this length field.
    """
    size = field & _SIZE_MASK
    padding = -size & 7
    if field - size != _TOP_BYTES[padding]:
        raise ValueError(f"impossible length field {field:#018x}")
    return size, padding


def parse(body: bytes, size: int) -> tuple[int, int, memoryview | None]:
    """Take apart one record.

    Args:
        body: the record and its padding.
        size: bytes of the record without padding.
    Returns:
        (type, crc, data): data is a view into `body`, None for a CRC record.
    Raises:
        ValueError: not a record, as `frame` and etcd write it.
    """
    kind, crc, start, data_size = _parse_head(body)
    end = start + (data_size or 0)
    if end != size:
        raise ValueError(f"record of {end} bytes in a frame of {size}")
    if body[size:] != _PADDING[len(body) - size]:
        raise ValueError("padding that is not zero")
    return kind, crc, None if data_size is None else memoryview(body)[start:end]


def intact_size(body: bytes, running_crc: int) -> int | None:
    """Return the size of the record at the start of `body` if its CRC holds.

    It trusts nothing but the record itself, so it tells a damaged length field
    from a record that was not written to its end.
    """
    try:
        _, crc, start, data_size = _parse_head(body)
    except ValueError:
        return None
    data = memoryview(body)[start : start + (data_size or 0)]
    if len(data) != (data_size or 0) or crc32c(data, running_crc) != crc:
        return None
    return start + len(data)


def has_blank_sector(body: bytes, offset: int) -> bool:
    """Tell whether a piece of `body` between sector boundaries is all zero.

    Such a piece is how a write that was cut off by a power failure looks: the
    sector still holds the zeros of the preallocated file.

    Args:
        body: a record with its padding.
        offset: where in the file it starts.
    """
    start = 0
    while start < len(body):
        end = start + SECTOR_BYTES - (offset + start) % SECTOR_BYTES
        if not any(body[start:end]):
            return True
        start = end
    return False


def _parse_head(record: bytes) -> tuple[int, int, int, int | None]:
    """Return (type, crc, where the data starts, its size or None)."""
    if len(record) < 4 or record[0] != 0x08 or record[2] != 0x10:
        raise ValueError("not a record")
    kind = record[1]
    crc, position = read_varint(record, 3)
    if kind == RecordType.CRC:
        return kind, crc, position, None
    if not 0 < kind < len(_HEADS):
        raise ValueError(f"unknown record type {kind}")
    if position == len(record) or record[position] != 0x1A:
        raise ValueError(f"record of type {kind} without data")
    data_size, position = read_varint(record, position + 1)
    return kind, crc, position, data_size
