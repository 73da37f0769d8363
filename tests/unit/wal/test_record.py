"""Framing of single records."""

import pytest
from crc32c import crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.wal import record
from miniet.wal.record import LENGTH_BYTES, RecordType, frame, parse, split_length


def unframe(framed):
    size, padding = split_length(int.from_bytes(framed[:LENGTH_BYTES], "little"))
    assert len(framed) == LENGTH_BYTES + size + padding
    return parse(framed[LENGTH_BYTES:], size)


@pytest.mark.parametrize(
    ("kind", "crc", "data", "expected"),
    [
        pytest.param(
            RecordType.CRC, 0, None, "0400000000000084 08041000 00000000", id="crc of 0"
        ),
        pytest.param(
            RecordType.ENTRY,
            0xDEADBEEF,
            bytes.fromhex("080010021802"),
            "1000000000000000 0802 10effdb6f50d 1a06 080010021802",
            id="no-op entry without padding",
        ),
        pytest.param(
            RecordType.SNAPSHOT,
            0x12,
            bytes.fromhex("08001000"),
            "0a00000000000086 0805 1012 1a04 08001000 000000000000",
            id="six bytes of padding",
        ),
        pytest.param(
            RecordType.STATE,
            0x0FFFFFFF,
            b"xyz",
            "0c00000000000084 0803 10ffffff7f 1a03 78797a 00000000",
            id="crc of four bytes",
        ),
        pytest.param(
            RecordType.METADATA,
            1,
            b"",
            "0600000000000082 0801 1001 1a00 0000",
            id="no data",
        ),
    ],
)
def test_frame_is_etcds(kind, crc, data, expected):
    assert frame(kind, crc, data) == bytes.fromhex(expected)


def test_length_field_of_13_bytes_is_the_documented_one():
    framed = frame(RecordType.ENTRY, 0x0FFFFFFF, b"1234")
    assert framed[:8] == bytes.fromhex("0d00000000000083")
    assert len(framed) == 24


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(RecordType),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=20) | st.binary(min_size=120, max_size=140),
)
def test_record_comes_back_from_an_aligned_frame(kind, crc, data):
    data = None if kind is RecordType.CRC else data
    framed = frame(kind, crc, data)
    assert len(framed) % 8 == 0
    assert unframe(framed) == (kind, crc, data)


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(0x83_0000_0000_0000_0C, id="padding of another size"),
        pytest.param(0x00_0000_0000_0000_0D, id="padding left out"),
        pytest.param(0x03_0000_0000_0000_0D, id="padding without its mark"),
        pytest.param(0x80_0000_0000_0000_10, id="mark without padding"),
        pytest.param(0xC3_0000_0000_0000_0D, id="bit without meaning"),
    ],
)
def test_impossible_length_field_is_refused(field):
    with pytest.raises(ValueError, match="impossible length field"):
        split_length(field)


@pytest.mark.parametrize(
    ("body", "size", "reason"),
    [
        pytest.param("0802", 2, "not a record", id="too short"),
        pytest.param("18021000 00000000", 4, "not a record", id="other first field"),
        pytest.param("08022000 00000000", 4, "not a record", id="other second field"),
        pytest.param("08061000 1a000000", 6, "unknown record type 6", id="type 6"),
        pytest.param("08001000 1a000000", 6, "unknown record type 0", id="type 0"),
        pytest.param("08021000 00000000", 4, "without data", id="entry without data"),
        pytest.param("08041000 1a000000", 6, "record of 4 bytes", id="crc with data"),
        pytest.param("08021000 1a020000", 6, "record of 8 bytes", id="data too long"),
        pytest.param("08021000 1a000001", 6, "padding", id="padding not zero"),
        pytest.param("080210ff ffffffff", 8, "ends inside", id="crc not ended"),
    ],
)
def test_record_in_another_form_is_refused(body, size, reason):
    with pytest.raises(ValueError, match=reason):
        parse(bytes.fromhex(body), size)


def test_intact_size_does_not_need_the_length_field():
    data = b"some data"
    framed = frame(RecordType.ENTRY, crc32c(data, 7), data)
    size, _ = split_length(int.from_bytes(framed[:LENGTH_BYTES], "little"))
    body = framed[LENGTH_BYTES:]
    assert record.intact_size(body + b"next record", 7) == size
    assert record.intact_size(body, 8) is None
    assert record.intact_size(body[:12], 7) is None


@pytest.mark.parametrize(
    ("body", "offset", "blank"),
    [
        pytest.param(b"x" * 100, 0, False, id="one sector, written"),
        pytest.param(bytes(8), 504, True, id="all zero"),
        pytest.param(
            b"x" * 8 + bytes(511) + b"x", 504, False, id="two sectors, written"
        ),
        pytest.param(b"x" * 8 + bytes(8), 504, True, id="second sector blank"),
        pytest.param(b"x" + bytes(600), 8, True, id="only the start written"),
        pytest.param(bytes(8) + b"x" * 600, 504, True, id="first sector blank"),
        pytest.param(bytes(511) + b"x", 0, False, id="one byte in a sector"),
    ],
)
def test_blank_sector_is_found_between_boundaries_of_the_file(body, offset, blank):
    assert record.has_blank_sector(body, offset) is blank
