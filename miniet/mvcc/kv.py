"""The pair, its wire form, the event of its change, and ranges of keys.

What the backend stores under a revision is the wire form of `mvccpb.KeyValue`, and
the same bytes answer ranges and ride in events: they are made once per change.
Encoding is etcd's to the byte (fields in number order, zero values absent),
because HashKV is taken over these bytes.
"""

from dataclasses import dataclass
from enum import IntEnum

from miniet.wire import fields, read_varint, signed64, varint

_KEY = b"\x0a"
_CREATE_REVISION = b"\x10"
_MOD_REVISION = b"\x18"
_VERSION = b"\x20"
_VALUE = b"\x2a"
_LEASE = b"\x30"

_VALUE_TAG = _VALUE[0]


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
        """Read the wire form; unknown fields are passed over.

        Raises:
            ValueError: `buffer` is not a whole message.
        """
        kv = cls(b"")
        for number, value in fields(buffer):
            if isinstance(value, memoryview):
                if number == 1:
                    kv.key = bytes(value)
                elif number == 5:
                    kv.value = bytes(value)
            elif number == 2:
                kv.create_revision = signed64(value)
            elif number == 3:
                kv.mod_revision = signed64(value)
            elif number == 4:
                kv.version = signed64(value)
            elif number == 6:
                kv.lease = signed64(value)
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
