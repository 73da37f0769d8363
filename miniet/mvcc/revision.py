"""Revisions and their form as keys of bucket `key`.

    main, 8 bytes big-endian | `_` | sub, 8 bytes big-endian            17 bytes, a put
    main, 8 bytes big-endian | `_` | sub, 8 bytes big-endian | `t`      18, a deletion

Byte order is revision order. Functions take and return the two numbers, not a
`Revision`: there is one call per put and per key read.

Source: etcd v3.4.9 mvcc/revision.go, mvcc/kvstore.go.
"""

import struct
from dataclasses import dataclass
from typing import Final

_FORMAT: Final = struct.Struct(">qBq")
_SEPARATOR: Final = 0x5F
_TOMBSTONE_MARK: Final = b"t"
_PUT_KEY_BYTES: Final = 17
_TOMBSTONE_KEY_BYTES: Final = 18

_pack: Final = _FORMAT.pack


@dataclass(frozen=True, slots=True, order=True)
class Revision:
    """The place of one change in the history of the store; ordered by main, then sub.

    main: one per write transaction that changed something; the first is 2.
    sub: position of the change in its transaction, from 0.
    """

    main: int
    sub: int = 0


def revision_key(main: int, sub: int) -> bytes:
    """Encode the backend key of a put; also the lower bound of a walk."""
    return _pack(main, _SEPARATOR, sub)


def tombstone_key(main: int, sub: int) -> bytes:
    """Encode the backend key of a deletion."""
    return _pack(main, _SEPARATOR, sub) + _TOMBSTONE_MARK


def parse_revision_key(key: bytes | bytearray | memoryview) -> tuple[int, int, bool]:
    """Decode a backend key as (main, sub, whether it is a deletion).

    Raises:
        ValueError: `key` is neither of the two forms.
    """
    size = len(key)
    is_tombstone = size == _TOMBSTONE_KEY_BYTES and key[17:] == _TOMBSTONE_MARK
    if not is_tombstone and size != _PUT_KEY_BYTES:
        raise ValueError(f"not a revision: {size} bytes")
    main, separator, sub = _FORMAT.unpack_from(key)
    if separator != _SEPARATOR or main < 0 or sub < 0:
        raise ValueError("not a revision")
    return main, sub, is_tombstone
