"""raftpb as bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.raft.codec import (
    decode_conf_change,
    decode_conf_state,
    decode_entry,
    decode_hard_state,
    decode_snapshot,
    encode_conf_change,
    encode_conf_state,
    encode_entry,
    encode_hard_state,
    encode_snapshot,
    entry_size,
)
from miniet.raft.messages import (
    ConfChange,
    ConfChangeType,
    ConfState,
    Entry,
    EntryType,
    HardState,
    Snapshot,
)

UINT64 = st.one_of(
    st.integers(0, 300), st.integers(0, 1 << 22), st.integers(0, (1 << 64) - 1)
)
IDS = st.lists(UINT64, max_size=3).map(tuple)
ENTRIES = st.builds(
    Entry,
    term=UINT64,
    index=UINT64,
    type=st.sampled_from(EntryType),
    data=st.binary(max_size=200),
)
CONF_STATES = st.builds(ConfState, IDS, IDS, IDS, IDS, st.booleans())
quick = settings(max_examples=100, deadline=None)


@pytest.mark.parametrize(
    ("entry", "encoded"),
    [
        pytest.param(Entry(2, 2), "08 00 10 02 18 02", id="no data"),
        pytest.param(Entry(), "08 00 10 00 18 00", id="all zero"),
        pytest.param(
            Entry(1, 300, EntryType.CONF_CHANGE, b"ab"),
            "08 01 10 01 18 ac 02 22 02 61 62",
            id="index of two bytes",
        ),
        pytest.param(
            Entry(128, 127, data=b"x" * 128),
            "08 00 10 80 01 18 7f 22 80 01" + " 78" * 128,
            id="lengths on the edge",
        ),
        pytest.param(
            Entry(1, 2097152), "08 00 10 01 18 80 80 80 01", id="index of four bytes"
        ),
    ],
)
def test_entry_is_written_as_etcd_writes_it(entry: Entry, encoded: str) -> None:
    assert encode_entry(entry) == bytes.fromhex(encoded)


@pytest.mark.parametrize(
    ("state", "encoded"),
    [
        (HardState(), "08 00 10 00 18 00"),
        (HardState(2, 300, 5), "08 02 10 ac 02 18 05"),
    ],
)
def test_hard_state_always_has_all_fields(state: HardState, encoded: str) -> None:
    assert encode_hard_state(state) == bytes.fromhex(encoded)


def test_conf_state_lists_are_not_packed() -> None:
    state = ConfState((1, 2), (3,), (4,), (5,), auto_leave=True)
    encoded = "08 01 08 02 10 03 18 04 20 05 28 01"
    assert encode_conf_state(state) == bytes.fromhex(encoded)
    assert encode_conf_state(ConfState((1,))) == bytes.fromhex("08 01 28 00")


def test_snapshot_puts_data_before_metadata() -> None:
    snapshot = Snapshot(5, 2, ConfState((1,)), b"{}")
    encoded = "0a 02 7b 7d 12 0a 0a 04 08 01 28 00 10 05 18 02"
    assert encode_snapshot(snapshot) == bytes.fromhex(encoded)


def test_conf_change_leaves_out_only_an_empty_context() -> None:
    change = ConfChange(0, ConfChangeType.ADD_NODE, 1)
    assert encode_conf_change(change) == bytes.fromhex("08 00 10 00 18 01")
    change = ConfChange(7, ConfChangeType.REMOVE_NODE, 1, b"c")
    assert encode_conf_change(change) == bytes.fromhex("08 07 10 01 18 01 22 01 63")


@quick
@given(ENTRIES)
def test_entry_comes_back_from_its_bytes(entry: Entry) -> None:
    encoded = encode_entry(entry)
    assert decode_entry(encoded) == entry
    assert decode_entry(memoryview(encoded)) == entry
    assert entry_size(entry) == len(encoded)


@quick
@given(st.builds(HardState, UINT64, UINT64, UINT64))
def test_hard_state_comes_back_from_its_bytes(state: HardState) -> None:
    assert decode_hard_state(encode_hard_state(state)) == state


@quick
@given(st.builds(Snapshot, UINT64, UINT64, CONF_STATES, st.binary(max_size=9)))
def test_snapshot_comes_back_from_its_bytes(snapshot: Snapshot) -> None:
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot
    conf_state = snapshot.conf_state
    assert decode_conf_state(encode_conf_state(conf_state)) == conf_state


@quick
@given(
    st.builds(
        ConfChange,
        UINT64,
        st.sampled_from(ConfChangeType),
        UINT64,
        st.binary(max_size=9),
    )
)
def test_conf_change_comes_back_from_its_bytes(change: ConfChange) -> None:
    assert decode_conf_change(encode_conf_change(change)) == change


def test_unknown_fields_are_skipped() -> None:
    assert decode_entry(bytes.fromhex("10 02 7a 01 ff 18 03")) == Entry(2, 3)


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("08 00 10", id="ends inside a field"),
        pytest.param("22 05 61", id="ends inside data"),
        pytest.param("08 03", id="unknown type"),
        pytest.param("12 01 00", id="bytes where a number belongs"),
        pytest.param("20 01", id="a number where bytes belong"),
    ],
)
def test_malformed_entry_is_refused(encoded: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_entry(bytes.fromhex(encoded))


def test_decoded_data_does_not_hold_the_buffer() -> None:
    buffer = bytearray(encode_entry(Entry(1, 1, data=b"abc")))
    entry = decode_entry(memoryview(buffer))
    buffer[-1] = 0
    buffer.clear()  # an exported view would forbid it
    assert entry.data == b"abc"
    assert type(entry.data) is bytes
