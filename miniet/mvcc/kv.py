"""The pair, its wire form, the event of its change, and ranges of keys.

What the backend stores under a revision is the wire form of `mvccpb.KeyValue`, and
the same bytes answer ranges and ride in events: they are made once per change.
Encoding is etcd's to the byte (fields in number order, zero values absent),
because HashKV is taken over these bytes.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from miniet.protowire import read_varint, signed64, varint

# Tags: field number times eight, plus the wire type.
_KEY_TAG, _VALUE_TAG = 0x0A, 0x2A
_CREATE_REVISION_TAG, _MOD_REVISION_TAG, _VERSION_TAG = 0x10, 0x18, 0x20
_LEASE_TAG: Final = 0x30

_KEY, _VALUE = bytes((_KEY_TAG,)), bytes((_VALUE_TAG,))
_CREATE_REVISION: Final = bytes((_CREATE_REVISION_TAG,))
_MOD_REVISION: Final = bytes((_MOD_REVISION_TAG,))
_VERSION: Final = bytes((_VERSION_TAG,))
_LEASE: Final = bytes((_LEASE_TAG,))


class EventType(IntEnum):
    """What happened to a key; numbers of `mvccpb.Event.EventType`."""

    PUT = 0
    DELETE = 1


class Event:
    """One change of one key, as watchers hear it. Made by mvcc, shared, never changed.

    type: put or deletion.
    key: the index's own copy of the key.
    mod_revision: main revision of the change.
    create_revision: main revision that began this life of the key; 0 for DELETE.
    kv: wire form of the pair; for DELETE key and mod_revision only.
    """

    __slots__ = ("create_revision", "key", "kv", "mod_revision", "type")

    def __init__(
        self,
        type: EventType,
        key: bytes,
        mod_revision: int,
        create_revision: int,
        kv: bytes,
    ) -> None:
        self.type = type
        self.key = key
        self.mod_revision = mod_revision
        self.create_revision = create_revision
        self.kv = kv

    def __repr__(self) -> str:
        return (
            f"<Event {self.type.name} key_bytes={len(self.key)}"
            f" mod_revision={self.mod_revision} kv_bytes={len(self.kv)}>"
        )


@dataclass(slots=True)
class KeyValue:
    """A decoded pair; zero where a field is absent.

    version: puts since `create_revision`, from 1.
    lease: id of the lease that holds the key, 0 for none; may be negative.
    """

    key: bytes
    create_revision: int = 0
    mod_revision: int = 0
    version: int = 0
    value: bytes = b""
    lease: int = 0

    def encode(self) -> bytes:
        """Return the wire form."""
        return encode_key_value(
            self.key,
            self.create_revision,
            self.mod_revision,
            self.version,
            self.value,
            self.lease,
        )

    @classmethod
    def decode(cls, buffer: bytes | memoryview) -> "KeyValue":
        """Read the wire form, copying everything; the buffer is free afterwards.

        Raises:
            ValueError: `buffer` is not a whole message, or has a field that no
                etcd 3 writes.
        Cost: 1.5 us; `protowire.fields`, which serves all messages, takes three times
            that, and boot does this once per record.
        """
        data = bytes(buffer)
        kv = cls(b"")
        position, end = 0, len(data)
        try:
            while position < end:
                tag, number = data[position], data[position + 1]
                position += 2
                if number > 127:
                    number, position = read_varint(data, position - 1)
                if tag == _KEY_TAG:
                    kv.key = data[position : position + number]
                    position += number
                elif tag == _CREATE_REVISION_TAG:
                    kv.create_revision = number
                elif tag == _MOD_REVISION_TAG:
                    kv.mod_revision = number
                elif tag == _VERSION_TAG:
                    kv.version = number
                elif tag == _VALUE_TAG:
                    kv.value = data[position : position + number]
                    position += number
                elif tag == _LEASE_TAG:
                    kv.lease = signed64(number)
                else:
                    raise ValueError(f"unknown field, tag {tag}")
        except IndexError:
            raise ValueError("the pair ends inside a field") from None
        if position > end:
            raise ValueError("the pair ends inside a field")
        return kv


def encode_key_value(
    key: bytes,
    create_revision: int,
    mod_revision: int,
    version: int,
    value: bytes | memoryview,
    lease: int,
) -> bytes:
    """Return the wire form of a put; every revision and the version are above 0."""
    mod = varint(mod_revision)
    parts: tuple[bytes | memoryview, ...] = (
        _KEY,
        varint(len(key)),
        key,
        _CREATE_REVISION,
        mod if create_revision == mod_revision else varint(create_revision),
        _MOD_REVISION,
        mod,
        _VERSION,
        varint(version),
    )
    if value:
        parts += (_VALUE, varint(len(value)), value)
    if lease:
        parts += (_LEASE, varint(lease))
    return b"".join(parts)


def encode_tombstone(key: bytes) -> bytes:
    """Return what the backend stores under a deletion: the key alone."""
    return b"".join((_KEY, varint(len(key)), key))


def encode_deleted(key: bytes, mod_revision: int) -> bytes:
    """Return the pair of a DELETE event: key and revision of the deletion."""
    return b"".join((_KEY, varint(len(key)), key, _MOD_REVISION, varint(mod_revision)))


def without_value(buffer: bytes | memoryview) -> bytes:
    """Copy a stored pair, leaving its value out (`keys_only`)."""
    position = 0
    while position < len(buffer):
        start = position
        tag, position = read_varint(buffer, position)
        size, position = read_varint(buffer, position)
        if tag & 7:
            position += size
        if tag == _VALUE_TAG:
            return bytes(buffer[:start]) + bytes(buffer[position:])
    return bytes(memoryview(buffer))


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys from `key` up to, not including, `range_end`, compared as bytes.

    range_end: `b""` means the one key `key`; `b"\\x00"` means from `key` on. An end
    at or before `key` holds nothing.
    """

    key: bytes
    range_end: bytes = b""

    @classmethod
    def prefix(cls, prefix: bytes) -> "KeyRange":
        """Return the range of all keys that begin with `prefix`; empty: every key."""
        if not prefix:
            return cls(b"\x00", b"\x00")
        stem = prefix.rstrip(b"\xff")
        if not stem:
            return cls(prefix, b"\x00")
        return cls(prefix, stem[:-1] + bytes((stem[-1] + 1,)))

    @property
    def is_single(self) -> bool:
        """Whether the range is one key by its form."""
        return not self.range_end

    def __contains__(self, key: bytes) -> bool:
        if not self.range_end:
            return key == self.key
        return key >= self.key and (self.range_end == b"\x00" or key < self.range_end)
