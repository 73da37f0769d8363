import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniet.mvcc import Revision
from miniet.mvcc.revision import parse_revision_key, revision_key, tombstone_key

NUMBER = st.integers(0, 2**63 - 1)


def test_tombstone_key_has_etcds_bytes() -> None:
    assert tombstone_key(300, 1).hex(" ") == (
        "00 00 00 00 00 00 01 2c 5f 00 00 00 00 00 00 00 01 74"
    )


def test_put_key_is_the_tombstone_key_without_its_mark() -> None:
    assert tombstone_key(300, 1)[:-1] == revision_key(300, 1)


@given(NUMBER, NUMBER)
def test_keys_decode_to_what_was_encoded(main: int, sub: int) -> None:
    assert parse_revision_key(revision_key(main, sub)) == (main, sub, False)
    assert parse_revision_key(memoryview(tombstone_key(main, sub))) == (main, sub, True)


@given(st.tuples(NUMBER, NUMBER), st.tuples(NUMBER, NUMBER))
def test_byte_order_is_revision_order(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    assert (Revision(*one) < Revision(*other)) == (one < other)
    assert (revision_key(*one) < revision_key(*other)) == (one < other)
    if one != other:
        assert (tombstone_key(*one) < revision_key(*other)) == (one < other)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("empty", b""),
        ("too short", revision_key(3, 0)[:-1]),
        ("mark is not t", revision_key(3, 0) + b"x"),
        ("too long", tombstone_key(3, 0) + b"t"),
        ("no separator", b"\x00" * 17),
        ("negative main", b"\xff" + revision_key(3, 0)[1:]),
        ("negative sub", revision_key(3, 0)[:9] + b"\xff" * 8),
    ],
)
def test_what_is_not_a_revision_is_refused(name: str, key: bytes) -> None:
    with pytest.raises(ValueError, match="not a revision"):
        parse_revision_key(key)
