import pytest

from miniet.errors import InvariantError
from miniet.mvcc import Event, EventType, KeyValue
from miniet.mvcc.kv import encode_deleted
from miniet.watch.event_batch import EventBatch, WatchEvent


def put(key: bytes, revision: int, created: int = 2, value: bytes = b"v") -> Event:
    kv = KeyValue(key, created, revision, 1, value).encode()
    return Event(EventType.PUT, key, revision, created, kv)


def delete(key: bytes, revision: int) -> Event:
    return Event(EventType.DELETE, key, revision, 0, encode_deleted(key, revision))


def test_put_is_encoded_without_its_zero_type() -> None:
    event = put(b"a", 3)
    assert WatchEvent(event).encoded == b"\x12" + bytes([len(event.kv)]) + event.kv


def test_delete_is_encoded_with_its_type() -> None:
    # As etcd 3.4.23 sends it: type 1, then key and mod_revision.
    assert WatchEvent(delete(b"a", 4)).encoded == b"\x08\x01\x12\x05\x0a\x01a\x18\x04"


def test_previous_pair_is_field_three_and_the_shared_bytes_stay() -> None:
    event = WatchEvent(put(b"a", 3))
    plain = event.encoded
    previous = KeyValue(b"a", 2, 2, 1, b"old" * 100).encode()
    assert event.encoded_with(previous) == (
        plain
        + b"\x1a"
        + bytes([len(previous) & 127 | 128, len(previous) >> 7])
        + previous
    )
    assert event.encoded is plain


@pytest.mark.parametrize("key", [b"a", b"k" * 127, b"k" * 128, b"k" * 20_000])
def test_key_is_read_back_from_the_encoded_pair(key: bytes) -> None:
    assert WatchEvent(put(key, 3, value=b"x" * 300)).key == key
    assert WatchEvent(delete(key, 3)).key == key


def test_batch_never_cuts_a_revision_and_notes_the_first_left_out() -> None:
    batch = EventBatch()
    left_out = []
    for revision in (2, 2, 5, 5, 5, 9, 9, 11):
        if batch.admits(revision, revisions_max=2):
            batch.add(WatchEvent(put(b"a", revision)))
        else:
            left_out.append(revision)
        batch._check()
    assert [event.mod_revision for event in batch.events] == [2, 2, 5, 5, 5]
    assert left_out == [9, 9, 11]
    assert (batch.more_revision, batch.revision_count) == (9, 2)


def test_check_sees_a_wrong_sum() -> None:
    batch = EventBatch()
    batch.add(WatchEvent(put(b"a", 2)))
    batch.byte_count += 1
    with pytest.raises(InvariantError):
        batch._check()
