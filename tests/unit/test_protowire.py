"""`miniet.protowire` against the protobuf library and against damaged input."""

from random import Random
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.pb import kv_pb2
from miniet.protowire import fields, read_varint, signed64, varint
from tests.support.messages import message_classes, random_message

Decoded = dict[str, Any]


def by_wire(descriptor: Descriptor, encoded: bytes | memoryview) -> Decoded:
    """Decode with `miniet.protowire` alone; what the numbers mean, the schema says."""
    out: Decoded = {}
    for number, raw in fields(encoded):
        field = descriptor.fields_by_number[number]
        values = [raw]
        if isinstance(raw, memoryview) and field.cpp_type not in (
            FieldDescriptor.CPPTYPE_STRING,
            FieldDescriptor.CPPTYPE_MESSAGE,
        ):
            values = list(unpacked(raw))
        read = [meaning(field, value) for value in values]
        if field.is_repeated:
            out.setdefault(field.name, []).extend(read)
        else:
            out[field.name] = read[-1]
    return out


def unpacked(packed: memoryview) -> list[int]:
    values, position = [], 0
    while position < len(packed):
        value, position = read_varint(packed, position)
        values.append(value)
    return values


def meaning(field: FieldDescriptor, raw: int | memoryview) -> Any:
    if isinstance(raw, memoryview):
        if field.message_type is not None:
            return by_wire(field.message_type, raw)
        is_text = field.type == FieldDescriptor.TYPE_STRING
        return str(raw, "utf-8") if is_text else bytes(raw)
    if field.cpp_type == FieldDescriptor.CPPTYPE_INT64:
        return signed64(raw)
    return raw


def by_library(message: Message) -> Decoded:
    out: Decoded = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            out[field.name] = list(value) if field.is_repeated else value
        elif field.is_repeated:
            out[field.name] = [by_library(item) for item in value]
        else:
            out[field.name] = by_library(value)
    return out


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(message_classes()), st.randoms(use_true_random=False))
def test_fields_agree_with_protobuf(kind: type[Message], random: Random) -> None:
    message = random_message(kind.DESCRIPTOR, random)
    encoded = message.SerializeToString()
    assert by_wire(kind.DESCRIPTOR, encoded) == by_library(message)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_varint_is_protobufs_int64(value: int) -> None:
    theirs = kv_pb2.KeyValue(version=value).SerializeToString()
    assert theirs == (b"\x20" + varint(value) if value else b"")
    decoded, position = read_varint(varint(value), 0)
    assert (signed64(decoded), position) == (value, len(varint(value)))


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "80 01"),
        (300, "ac 02"),
        (2**64 - 1, "ff ff ff ff ff ff ff ff ff 01"),
        (-1, "ff ff ff ff ff ff ff ff ff 01"),
    ],
)
def test_varint_bytes(value: int, encoded: str) -> None:
    assert varint(value).hex(" ") == encoded


@given(st.binary(max_size=12), st.integers(0, 2**64 - 1), st.binary(max_size=4))
def test_varint_is_read_where_it_stands(
    before: bytes, value: int, after: bytes
) -> None:
    encoded = before + varint(value) + after
    assert read_varint(encoded, len(before)) == (value, len(encoded) - len(after))


DAMAGED = [
    ("varint cut off", b"\x08\x80"),
    ("varint of eleven bytes", b"\x08" + b"\x80" * 10 + b"\x01"),
    ("length beyond the end", b"\x0a\x05abcd"),
    ("length beyond memory", b"\x0a" + varint(2**63)),
    ("tag without a value", b"\x08"),
    ("fixed64 cut off", b"\x09\x01\x02\x03"),
    ("fixed32 cut off", b"\x0d\x01"),
    ("field number 0", b"\x00\x01"),
    ("group", b"\x0b\x0c"),
    ("wire type 7", b"\x0f"),
]


@pytest.mark.parametrize(
    "encoded", [row[1] for row in DAMAGED], ids=[row[0] for row in DAMAGED]
)
def test_damaged_message_is_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match=r"at \d+|inside field"):
        list(fields(encoded))


@given(st.binary(max_size=40))
def test_any_bytes_are_walked_or_refused(encoded: bytes) -> None:
    try:
        walked = list(fields(encoded))
    except ValueError:
        return
    # At least a tag and a value byte went into every field.
    assert 2 * len(walked) <= len(encoded)


def test_fixed_width_fields_are_read_little_endian() -> None:
    encoded = b"\x0d\x01\x02\x00\x00\x11\x01\x00\x00\x00\x00\x00\x00\x80"
    assert list(fields(encoded)) == [(1, 0x0201), (2, 2**63 + 1)]


def test_fields_are_views_of_the_buffer_not_copies() -> None:
    encoded = bytearray(b"\x0a\x02ab")
    [(number, view)] = fields(memoryview(encoded))
    encoded[2:4] = b"xy"
    assert (number, bytes(view)) == (1, b"xy")
