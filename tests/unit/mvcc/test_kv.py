import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniet.mvcc import Event, EventType, KeyRange, KeyValue
from miniet.mvcc.kv import encode_deleted, encode_tombstone, without_value

POSITIVE = st.integers(1, 2**63 - 1)
PAIRS = st.builds(
    KeyValue,
    key=st.binary(min_size=1, max_size=200),
    create_revision=POSITIVE,
    mod_revision=POSITIVE,
    version=POSITIVE,
    value=st.binary(max_size=300),
    lease=st.integers(-(2**63), 2**63 - 1),
)


@pytest.mark.parametrize(
    ("name", "pair", "encoded"),
    [
        (
            "first write of revision 3",
            KeyValue(b"b", 3, 3, 1, b"2"),
            "0a 01 62 10 03 18 03 20 01 2a 01 32",
        ),
        (
            "empty value is absent",
            KeyValue(b"b", 3, 4, 2),
            "0a 01 62 10 03 18 04 20 02",
        ),
        (
            "lease, two-byte numbers",
            KeyValue(b"b", 128, 300, 129, b"", 5),
            "0a 01 62 10 80 01 18 ac 02 20 81 01 30 05",
        ),
        (
            "negative lease takes ten bytes",
            KeyValue(b"b", 2, 2, 1, b"", -1),
            "0a 01 62 10 02 18 02 20 01 30 ff ff ff ff ff ff ff ff ff 01",
        ),
    ],
)
def test_pair_has_etcds_bytes(name: str, pair: KeyValue, encoded: str) -> None:
    assert pair.encode().hex(" ") == encoded


def test_tombstone_is_the_key_alone() -> None:
    assert encode_tombstone(b"b") == b"\x0a\x01b"
    assert KeyValue.decode(encode_tombstone(b"b")) == KeyValue(b"b")


def test_deleted_pair_is_key_and_revision() -> None:
    assert KeyValue.decode(encode_deleted(b"b", 300)) == KeyValue(
        b"b", mod_revision=300
    )


@given(PAIRS)
def test_decoded_is_what_was_encoded(pair: KeyValue) -> None:
    assert KeyValue.decode(memoryview(pair.encode())) == pair


@given(PAIRS)
def test_without_value_keeps_every_other_field(pair: KeyValue) -> None:
    bare = KeyValue.decode(without_value(memoryview(pair.encode())))
    pair.value = b""
    assert bare == pair


@given(PAIRS, st.data())
def test_cut_pair_is_refused_or_loses_whole_fields(
    pair: KeyValue, data: st.DataObject
) -> None:
    encoded = pair.encode()
    cut = data.draw(st.integers(0, len(encoded) - 1))
    try:
        whole = KeyValue.decode(encoded[:cut])
    except ValueError:
        return
    assert encoded[:cut] == b"" or encoded.startswith(encode_tombstone(whole.key))


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("tag alone", b"\x0a\x01b\x10"),
        ("key is cut", b"\x0a\x05b"),
        ("value is cut", b"\x0a\x01b\x2a\x05x"),
        ("varint is cut", b"\x0a\x01b\x10\x80"),
        ("varint without end", b"\x10" + b"\x80" * 12),
        ("field that no etcd writes", b"\x0a\x01b\x38\x01"),
        ("key of another type", b"\x08\x01"),
        ("text", b"hello"),
    ],
)
def test_damaged_pair_is_refused(name: str, encoded: bytes) -> None:
    with pytest.raises(ValueError, match=r"field|varint"):
        KeyValue.decode(encoded)


def test_decoded_pair_does_not_live_on_the_buffer() -> None:
    buffer = bytearray(KeyValue(b"b", 3, 3, 1, b"2").encode())
    pair = KeyValue.decode(memoryview(buffer))
    buffer[:] = b"\x00" * len(buffer)
    assert pair == KeyValue(b"b", 3, 3, 1, b"2")


@pytest.mark.parametrize(
    ("name", "keys", "inside", "outside"),
    [
        ("single", KeyRange(b"b"), [b"b"], [b"a", b"b\x00", b"c"]),
        ("half open", KeyRange(b"b", b"d"), [b"b", b"c", b"c\xff"], [b"a", b"d"]),
        ("from key", KeyRange(b"b", b"\x00"), [b"b", b"\xff\xff"], [b"a", b"\x00"]),
        ("everything", KeyRange(b"\x00", b"\x00"), [b"\x00", b"\xff"], []),
        ("end is key", KeyRange(b"b", b"b"), [], [b"a", b"b", b"c"]),
        ("end before key", KeyRange(b"b", b"a"), [], [b"a", b"b", b"c"]),
        ("prefix", KeyRange.prefix(b"b"), [b"b", b"b\xff\xff"], [b"a", b"c"]),
        (
            "prefix ends in ff",
            KeyRange.prefix(b"b\xff"),
            [b"b\xff", b"b\xff\xff"],
            [b"b\xfe", b"c"],
        ),
        ("prefix of ff", KeyRange.prefix(b"\xff"), [b"\xff", b"\xff\x01"], [b"\xfe"]),
        ("empty prefix", KeyRange.prefix(b""), [b"\x00", b"a", b"\xff"], []),
    ],
)
def test_range_holds(
    name: str, keys: KeyRange, inside: list[bytes], outside: list[bytes]
) -> None:
    assert all(key in keys for key in inside)
    assert not any(key in keys for key in outside)


def test_only_a_range_without_end_is_single() -> None:
    assert KeyRange(b"b").is_single
    assert not KeyRange(b"b", b"b\x00").is_single


def test_event_shows_sizes_not_contents() -> None:
    event = Event(EventType.PUT, b"secret", 5, 3, b"secret secret")
    assert repr(event) == "<Event PUT key_bytes=6 mod_revision=5 kv_bytes=13>"
