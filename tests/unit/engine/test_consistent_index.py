import pytest

from miniet.engine.consistent_index import CONSISTENT_INDEX_KEY, ConsistentIndex
from miniet.errors import DataError
from miniet.mvcc.ports import META_BUCKET
from tests.support.memory_backend import MemoryBackend


def stored(backend: MemoryBackend) -> bytes | None:
    value = backend.crashed().batch_tx.get(META_BUCKET, CONSISTENT_INDEX_KEY)
    return None if value is None else bytes(value)


def test_rides_in_the_commit_of_what_was_applied() -> None:
    backend = MemoryBackend()
    index = ConsistentIndex(backend)
    index.value = 300
    backend.batch_tx.put(b"key", b"k", b"v")
    assert stored(backend) is None
    backend.commit()
    assert stored(backend) == (300).to_bytes(8, "big")


def test_is_written_only_when_it_changed() -> None:
    backend = MemoryBackend()
    index = ConsistentIndex(backend)
    index.value = 3
    index.save()
    backend.commit()
    index.save()
    assert not backend.batch_tx.pending


def test_comes_back_after_a_crash() -> None:
    backend = MemoryBackend()
    index = ConsistentIndex(backend)
    index.value = 7
    index.save()
    backend.commit()
    index.value = 9
    restored = ConsistentIndex(backend.crashed())
    restored.restore()
    assert restored.value == 7


def test_an_empty_backend_holds_nothing_applied() -> None:
    index = ConsistentIndex(MemoryBackend())
    index.restore()
    assert index.value == 0


def test_of_another_length_is_damage() -> None:
    backend = MemoryBackend()
    index = ConsistentIndex(backend)
    backend.batch_tx.put(META_BUCKET, CONSISTENT_INDEX_KEY, b"1234567")
    with pytest.raises(DataError, match="7 bytes"):
        index.restore()


@pytest.mark.parametrize(
    ("value", "said"), [(4, "before the raft snapshot at 5"), (9, "beyond the end")]
)
def test_log_that_does_not_reach_the_backend_is_refused(value: int, said: str) -> None:
    index = ConsistentIndex(MemoryBackend())
    index.value = value
    with pytest.raises(DataError, match=said):
        index.check_log(snapshot_index=5, last_index=8)


@pytest.mark.parametrize("value", [5, 6, 8])
def test_log_that_reaches_the_backend_is_accepted(value: int) -> None:
    index = ConsistentIndex(MemoryBackend())
    index.value = value
    index.check_log(snapshot_index=5, last_index=8)
